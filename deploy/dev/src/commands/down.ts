import { act, Command, examples } from '@email-events/cli/command';

export function downCommand(): Command {
  const command = new Command('down').description(
    'Stop the local pipeline that was started by up or npm start; data is kept',
  );
  act(command, async () => (await import('./down-action.ts')).downAction);
  command.addHelpText('after', '\nExits 0 when it is stopped, 4 if nothing was running.');
  return examples(command, 'down');
}
