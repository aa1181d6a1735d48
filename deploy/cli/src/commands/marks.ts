import { Command, InvalidArgumentError } from 'commander';
import { act, examples } from '../command.ts';
import { parseTime } from '../time.ts';
import type { MarkActionOptions } from './marks-action.ts';
import { nameText, reasonText } from './suppressions.ts';

export function marksCommand(): Command {
  const command = new Command('marks').description(
    'Events that do not count in reports, because an operator says so',
  );
  command.addCommand(addCommand());
  command.addCommand(removeCommand());
  command.addCommand(listCommand());
  return command;
}

function addCommand(): Command {
  const command = ofSource(
    new Command('add').description('Mark what a webhook reported in a time as forged: no report counts it'),
  );
  act<MarkActionOptions>(command, async () => (await import('./marks-action.ts')).markAction);
  command.addHelpText(
    'after',
    '\nNothing is deleted, and nothing is done until --yes-change says the number that was shown. Suppressions are another\nmatter: `suppressions lift --source` takes back what the same events caused.',
  );
  return examples(
    command,
    'marks add --source main --from 2026-01-31T08:00Z --to 2026-01-31T09:00Z --why "secret leaked"',
    'marks add --source main --from 2026-01-31T08:00Z --to 2026-01-31T09:00Z --why "secret leaked" --yes-change 5678',
  );
}

function removeCommand(): Command {
  const command = ofSource(
    new Command('remove').description('Let events count again that were marked as forged'),
  );
  act<MarkActionOptions>(command, async () => (await import('./marks-action.ts')).unmarkAction);
  return examples(
    command,
    'marks remove --source main --from 2026-01-31T08:00Z --to 2026-01-31T09:00Z --why "it was us"',
  );
}

function listCommand(): Command {
  const command = new Command('list').description(
    'Show marks by source, who made them and why, the newest last',
  );
  act<object>(command, async () => (await import('./marks-action.ts')).listAction);
  return examples(command, 'marks list', 'marks list --json');
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
