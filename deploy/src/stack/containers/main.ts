import { Command } from 'commander';
import { EXIT } from '../../cli/exit-codes.ts';
import { runProgram } from '../../cli/run-program.ts';
import { StackError } from '../errors.ts';
import { buildCommand } from './commands/build.ts';
import { cleanCommand } from './commands/clean.ts';
import { engineCommand } from './commands/engine.ts';
import { statusCommand } from './commands/status.ts';

/**
 * `npm run containers -- …`: the container engine of this machine and what of ours it has. It must be able to run
 * where there is no engine yet, so it is none of the commands of `email-events`.
 */
const NO_ENGINE: readonly string[] = ['STACK_ENGINE_UNAVAILABLE', 'STACK_INSTALL_FAILED'];
const abort = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => abort.abort());

const program = new Command('npm run containers --')
  .description('The container engine, and the images and containers that this project has on it.')
  .option('--verbose', 'show where an error comes from', false)
  .addHelpText(
    'after',
    '\nExit codes: 0 done · 1 failed, or something is left · 2 wrong usage · 4 no engine runs · 130 interrupted',
  );
for (const command of [
  engineCommand(abort.signal),
  statusCommand(),
  buildCommand(abort.signal),
  cleanCommand(),
])
  program.addCommand(command);
throwInsteadOfExit(program);

await runProgram(program, (error) => {
  if (abort.signal.aborted) return EXIT.interrupted;
  return error instanceof StackError && NO_ENGINE.includes(error.code) ? EXIT.notRunning : EXIT.failed;
});

/** Of the commands as well: what is added does not inherit it. */
function throwInsteadOfExit(command: Command): void {
  command.exitOverride().showHelpAfterError('(add --help for what it takes)');
  for (const child of command.commands) throwInsteadOfExit(child);
}
