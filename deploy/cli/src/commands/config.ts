import { Command } from 'commander';
import { act, examples } from '../command.ts';

export function configCommand(): Command {
  const command = new Command('config').description('Check the configuration');
  command.addCommand(
    examples(
      act(
        new Command('check').description(
          'List every problem of the configuration, with its line, and what should be looked at; exits 1 if there is a problem, else 0',
        ),
        async () => (await import('./config-action.ts')).checkAction,
      ),
      'config check',
      'config check --config deploy/config/pipeline.yaml',
      'config check --json',
    ),
  );
  return command;
}
