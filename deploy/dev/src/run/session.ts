import { type PipelineOptions, type RunningPipeline, startPipeline } from './pipeline.ts';

export interface Session {
  /** Aborted by the first Ctrl-C or SIGTERM. */
  readonly signal: AbortSignal;
  /** Resolves when the first one comes. */
  readonly asked: Promise<void>;
}

/**
 * A pipeline around some work: starts it, does the work, stops it, whatever happens. The first Ctrl-C (or SIGTERM)
 * calls the work off and stops in order; the second one ends everything at once.
 */
export async function withPipeline<T>(
  options: Omit<PipelineOptions, 'signal'>,
  work: (pipeline: RunningPipeline, session: Session) => Promise<T>,
): Promise<T> {
  const abort = new AbortController();
  const { promise: asked, resolve } = Promise.withResolvers<void>();
  let pipeline: RunningPipeline | undefined;
  let times = 0;
  const interrupt = () => {
    times++;
    if (times === 1) {
      options.reporter.warn('stopping; once more to stop at once');
      abort.abort();
      resolve();
    } else pipeline?.kill();
  };
  // A pipeline that runs must outlive nothing by accident: a closed terminal stops it too.
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const name of signals) process.on(name, interrupt);
  try {
    pipeline = await startPipeline({ ...options, signal: abort.signal });
    return await work(pipeline, { signal: abort.signal, asked });
  } finally {
    await pipeline?.stop();
    for (const name of signals) process.off(name, interrupt);
  }
}
