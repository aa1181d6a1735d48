import { EXIT } from '@email-events/cli/exit-codes';
import { runProgram } from '@email-events/cli/run-program';
import { StackError } from '../errors.ts';
import { createContainersProgram } from './program.ts';

/**
 * `npm run containers -- …`: the container engine of this machine, and this project's images and containers on it. It must be able to run
 * where there is no engine yet, so it is none of the commands of `email-events`.
 */
const NO_ENGINE: readonly string[] = ['STACK_ENGINE_UNAVAILABLE', 'STACK_INSTALL_FAILED'];
const abort = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => abort.abort());

await runProgram(createContainersProgram(abort.signal), (error) => {
  if (abort.signal.aborted) return EXIT.interrupted;
  return error instanceof StackError && NO_ENGINE.includes(error.code) ? EXIT.notRunning : EXIT.failed;
});
