/** Progress of a stack while it installs, starts and stops. */
export interface ProgressEvent {
  /** A component's name, or `java` and the like for what several of them need. */
  readonly component: string;
  readonly step: 'install' | 'start' | 'stop';
  readonly state: 'begin' | 'done' | 'failed';
  /** Details for people. */
  readonly detail?: string;
  /** Milliseconds since the step began; at `done` and `failed`. */
  readonly tookMs?: number;
}

export type ProgressListener = (event: ProgressEvent) => void;

/** Reports the begin and the end of a step around its work. */
export async function withProgress<T>(
  listener: ProgressListener,
  step: Pick<ProgressEvent, 'component' | 'step' | 'detail'>,
  work: () => Promise<T>,
  now: () => number = () => performance.now(),
): Promise<T> {
  const begin = now();
  listener({ ...step, state: 'begin' });
  try {
    const result = await work();
    listener({ ...step, state: 'done', tookMs: Math.round(now() - begin) });
    return result;
  } catch (error) {
    listener({ ...step, state: 'failed', tookMs: Math.round(now() - begin) });
    throw error;
  }
}

const VERBS = {
  install: { begin: 'installing', done: 'installed', failed: 'not installed' },
  start: { begin: 'starting', done: 'running', failed: 'not running' },
  stop: { begin: 'stopping', done: 'stopped', failed: 'not stopped' },
} as const;

/** One line of text per event. */
export function formatProgress(event: ProgressEvent): string {
  const verb = VERBS[event.step][event.state];
  const detail = event.detail ? ` ${event.detail}` : '';
  const took = event.tookMs === undefined ? '' : ` (${(event.tookMs / 1000).toFixed(1)} s)`;
  return `${event.component.padEnd(10)} ${verb}${detail}${took}`;
}

/** The simplest printer: one line per event on standard error. */
export function printProgress(event: ProgressEvent): void {
  process.stderr.write(`${formatProgress(event)}\n`);
}
