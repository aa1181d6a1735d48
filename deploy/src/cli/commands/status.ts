import { Command } from 'commander';
import { act, examples } from '../command.ts';

export function statusCommand(): Command {
  const command = new Command('status').description(
    'Show the local pipeline: components, services and their readiness, lag and counts',
  );
  act(command, async () => (await import('./status-action.ts')).statusAction);
  command.addHelpText('after', '\nExits 0 if all is ready, 1 if something is not, 4 if nothing runs.');
  return examples(command, 'status', 'status --json');
}
