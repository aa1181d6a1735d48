import { clearScreen, formatTime, note, print } from '../output.ts';
import { describeFailure } from '../run-program.ts';

/**
 * Shows something again and again until SIGINT or SIGTERM. In a terminal each reading takes the place of the one before. Rejects if the first reading
 * fails; one that fails later is told, and the next one may succeed.
 */
export async function watch(everyMs: number, read: () => Promise<string>): Promise<void> {
  const abort = new AbortController();
  process.once('SIGINT', () => abort.abort()).once('SIGTERM', () => abort.abort());
  for (let reading = 0; !abort.signal.aborted; reading++) {
    const text = await read().catch((error: unknown) => {
      if (reading === 0) throw error;
      note(`${formatTime(Date.now())} ${describeFailure(error, { json: false, verbose: false })}`);
      return '';
    });
    if (text !== '') {
      clearScreen();
      print(`${formatTime(Date.now())}\n${text}\n`);
    }
    await pause(everyMs, abort.signal);
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
