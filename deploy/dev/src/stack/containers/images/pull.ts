import { StackError } from '../../errors.ts';
import { withProgress } from '../../progress.ts';
import { follow } from './build.ts';
import type { ImageContext, ImageRole } from './context.ts';

/** Long enough for a slow registry's answer, and for a layer's next bytes; a network that drops everything ends here. */
const SILENCE_MS = 30_000;

/** What the client puts before the engine's own words. */
const HTTP_PREFIX = /^\(HTTP code \d+\) [^-]*- /;

/**
 * Pulls an image. Resolves to nothing if it is there then, else to why it cannot be pulled, in one line.
 * @throws StackError STACK_ABORTED
 */
export async function pull(
  context: ImageContext,
  role: ImageRole,
  reference: string,
  silenceMs = SILENCE_MS,
): Promise<string | undefined> {
  const step = { component: role, step: 'install', detail: `the image ${reference}` } as const;
  try {
    await withProgress(context.onProgress, step, () => pullNoisily(context, reference, silenceMs));
    return undefined;
  } catch (error) {
    if (context.signal?.aborted)
      throw new StackError('STACK_ABORTED', `the pull of ${reference} was called off`, { cause: error });
    return (error as Error).message.replace(HTTP_PREFIX, '').trim().replaceAll(/\s+/g, ' ');
  }
}

/** As long as the engine says something it may take as long as it takes. */
async function pullNoisily(context: ImageContext, reference: string, silenceMs: number): Promise<void> {
  const { docker } = context.engine;
  const silence = new AbortController();
  const timer = setTimeout(() => silence.abort(), silenceMs);
  const { signal } = context;
  const abortSignal = signal ? AbortSignal.any([signal, silence.signal]) : silence.signal;
  try {
    // A name alone would mean every tag there is.
    const exact = /[:@][^/]*$/.test(reference) ? reference : `${reference}:latest`;
    const stream: NodeJS.ReadableStream = await docker.pull(exact, { abortSignal });
    await follow(docker, stream, (event) => {
      timer.refresh();
      if (event.error) throw new Error(event.error);
    });
  } catch (error) {
    if (silence.signal.aborted) throw new Error(`nothing came for ${silenceMs / 1000} s`, { cause: error });
    throw error;
  } finally {
    clearTimeout(timer);
  }
}
