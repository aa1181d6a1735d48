import { Command } from 'commander';
import { act, examples } from '../command.ts';

export function schemasCommand(): Command {
  const command = new Command('schemas').description('Check and register the Avro schemas');
  command.addCommand(
    examples(
      act(
        new Command('check').description(
          'Compare the registry with this version of the code; exits 1 if registering would fail',
        ),
        async () => (await import('./schemas-action.ts')).checkAction,
      ),
      'schemas check',
    ),
  );
  command.addCommand(
    examples(
      act(
        new Command('register').description('Register every schema that the registry lacks'),
        async () => (await import('./schemas-action.ts')).registerAction,
      ),
      'schemas register',
      'schemas register --json',
    ),
  );
  return command;
}
