import { Command } from '@email-events/cli/command';
import { buildCommand } from './commands/build.ts';
import { cleanCommand } from './commands/clean.ts';
import { engineCommand } from './commands/engine.ts';
import { statusCommand } from './commands/status.ts';

/** All commands of `npm run containers -- …`; the signal calls off what takes long. */
export function createContainersProgram(signal: AbortSignal): Command {
  const program = new Command('npm run containers --')
    .description('The container engine, and the images and containers that this project has on it.')
    .option('--verbose', 'show where an error comes from', false)
    .addHelpText(
      'after',
      '\nExit codes: 0 done · 1 failed, or something is left · 2 wrong usage · 4 no engine runs · 130 interrupted',
    );
  for (const command of [engineCommand(signal), statusCommand(), buildCommand(signal), cleanCommand()])
    program.addCommand(command);
  throwInsteadOfExit(program);
  return program;
}

/** Of the commands as well: what is added does not inherit it. */
function throwInsteadOfExit(command: Command): void {
  command.exitOverride().showHelpAfterError('(add --help for what it takes)');
  for (const child of command.commands) throwInsteadOfExit(child);
}
