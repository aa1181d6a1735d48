import { PipelineError } from '@email-events/core/errors';
import { Command } from 'commander';

/** `help`, `help dlq`, `help dlq list`: of the program, of a command, and of one below it. */
export function helpCommand(program: Command): Command {
  return new Command('help')
    .description('show what a command takes, with examples')
    .argument('[command...]', 'its name, then that of one below it')
    .action((names: readonly string[]) => find(program, names).outputHelp());
}

/** Throws CLI_USAGE. */
function find(program: Command, names: readonly string[]): Command {
  let found = program;
  for (const name of names) {
    const child = found.commands.find(
      (command) => command.name() === name || command.aliases().includes(name),
    );
    if (child === undefined) {
      const known = found.commands.map((command) => command.name()).join(', ') || 'none';
      const of = found === program ? 'command' : `command of ${found.name()}`;
      throw new PipelineError('CLI_USAGE', 'reject', `no ${of} is called "${name}"; there are: ${known}`);
    }
    found = child;
  }
  return found;
}
