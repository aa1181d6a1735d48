import { clearScreen, formatTime, note, print } from '../output.ts';
import { describeFailure } from '../run-program.ts';

/**
 * Shows something again and again until the signal, by default of SIGINT or SIGTERM. In a terminal each reading takes the place of the one before.
 * A reading of nothing shows nothing. Rejects if the first reading fails; a later one that fails is told, and the next one may succeed.
 */
export async function watch(
  everyMs: number,
  read: () => Promise<string>,
  signal: AbortSignal = interrupted(),
): Promise<void> {
  for (let reading = 0; !signal.aborted; reading++) {
    const text = await read().catch((error: unknown) => {
      if (reading === 0) throw error;
      note(`${formatTime(Date.now())} ${describeFailure(error, { json: false, verbose: false })}`);
      return '';
    });
    if (text !== '') {
      clearScreen();
      print(`${formatTime(Date.now())}\n${text}\n`);
    }
    await pause(everyMs, signal);
  }
}

function interrupted(): AbortSignal {
  const abort = new AbortController();
  process.once('SIGINT', () => abort.abort()).once('SIGTERM', () => abort.abort());
  return abort.signal;
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
    function done() {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    }
  });
}
