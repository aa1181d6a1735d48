import { Command, InvalidArgumentError } from 'commander';
import { act, examples } from '../command.ts';
import { parseTime } from '../time.ts';
import type { MarkActionOptions } from './events-mark-action.ts';
import { nameText, reasonText } from './suppressions.ts';

export function eventsCommand(): Command {
  const command = new Command('events').description(
    'Events that do not count in reports, because an operator says so',
  );
  command.addCommand(markCommand());
  command.addCommand(unmarkCommand());
  command.addCommand(marksCommand());
  return command;
}

function markCommand(): Command {
  const command = ofSource(
    new Command('mark').description('Mark what a webhook reported in a time as forged: no report counts it'),
  );
  act<MarkActionOptions>(command, async () => (await import('./events-mark-action.ts')).markAction);
  command.addHelpText(
    'after',
    '\nNothing is deleted, and nothing is done until --yes-change says the number that was shown. Suppressions are another\nmatter: `suppressions lift --source` takes back what the same events caused.',
  );
  return examples(
    command,
    'events mark --source main --from 2026-01-31T08:00Z --to 2026-01-31T09:00Z --why "secret leaked"',
    'events mark --source main --from … --to … --why "secret leaked" --yes-change 5678',
  );
}

function unmarkCommand(): Command {
  const command = ofSource(
    new Command('unmark').description('Let events count again that were marked as forged'),
  );
  act<MarkActionOptions>(command, async () => (await import('./events-mark-action.ts')).unmarkAction);
  return examples(
    command,
    'events unmark --source main --from 2026-01-31T08:00Z --to 2026-01-31T09:00Z --why "it was us"',
  );
}

function marksCommand(): Command {
  const marks = new Command('marks').description('What was marked');
  const list = new Command('list').description(
    'Show marks by source, who made them and why, the newest last',
  );
  act<object>(list, async () => (await import('./events-mark-action.ts')).listAction);
  marks.addCommand(examples(list, 'events marks list', 'events marks list --json'));
  return marks;
}

function ofSource(command: Command): Command {
  return command
    .requiredOption('--source <name>', 'the webhook that reported them')
    .requiredOption('--from <time>', 'received then or later: 2026-01-31T08:00Z, or how long ago: 36h', time)
    .requiredOption('--to <time>', 'received before then', time)
    .requiredOption('--why <text>', 'why; kept with each mark', reasonText)
    .option('--by <name>', 'who says so (default: the user of the system)', nameText)
    .option('--dry-run', 'say what would be marked, change nothing: the default without --yes-change', false)
    .option('--yes-change <n>', 'do it, for just so many events as it was said', count);
}

const time = (text: string): number => parseTime(text);

function count(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('a number from 0 is needed');
  return Number(text);
}
