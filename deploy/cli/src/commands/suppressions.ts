import { Command, InvalidArgumentError, Option } from 'commander';
import { act, examples } from '../command.ts';
import { REASONS } from '../suppressions/actions.ts';
import { parseTime } from '../time.ts';
import type { GetOptions, ListOptions } from './suppressions-action.ts';
import type { AddOptions } from './suppressions-change-action.ts';
import type { LiftOptions } from './suppressions-lift-many.ts';

export function suppressionsCommand(): Command {
  const command = new Command('suppressions').description(
    'Who must not get mail, why, and what operators say of it',
  );
  command.addCommand(getCommand());
  command.addCommand(listCommand());
  command.addCommand(addCommand());
  command.addCommand(liftCommand());
  return command;
}

function getCommand(): Command {
  const command = new Command('get')
    .description('Say whether a recipient is suppressed, why, and what operators did about it')
    .argument('<address>', 'the email address');
  act<GetOptions>(command, async () => (await import('./suppressions-action.ts')).getAction);
  command.addHelpText('after', '\nIt is read from Kafka; ClickHouse is not needed.');
  return examples(command, 'suppressions get ann@example.com', 'suppressions get ann@example.com --json');
}

function listCommand(): Command {
  const command = new Command('list')
    .description('Show active reasons, the newest first')
    .addOption(new Option('--reason <reason>', 'only this reason').choices([...REASONS]))
    .option('--scope <scope>', 'only of this scope: all, or the name of a stream')
    .option('--source <name>', 'only given by this webhook')
    .option('--esp <name>', 'only given by this ESP')
    .option(
      '--since <time>',
      'only what happened then or later: 2026-01-31T08:00Z, or how long ago: 36h',
      time,
    )
    .option('--limit <n>', 'show the newest n', positive, 100)
    .option('--ndjson', 'print all of them, one JSON line each, in no order', false);
  act<ListOptions>(command, async () => (await import('./suppressions-action.ts')).listAction);
  return examples(
    command,
    'suppressions list --reason complaint --since 7d',
    'suppressions list --source main --limit 1000 --json',
    'suppressions list --ndjson > suppressed.ndjson',
  );
}

function addCommand(): Command {
  const command = new Command('add')
    .description('Suppress recipients, because an operator says so')
    .argument('[address...]', 'email addresses')
    .option('--file <file>', 'addresses from a file, one a line; - is standard input')
    .option('--scope <scope>', 'all, or the name of a stream', 'all');
  ordered(command);
  act<AddOptions>(command, async () => (await import('./suppressions-change-action.ts')).addAction);
  return examples(
    command,
    'suppressions add ann@example.com --why "asked by phone"',
    'suppressions add --file addresses.txt --scope newsletter --why "list was bought"',
  );
}

function liftCommand(): Command {
  const command = new Command('lift')
    .description('Lift suppressions: of recipients, or all that a source caused in a time')
    .argument('[address...]', 'email addresses')
    .option('--file <file>', 'addresses from a file, one a line; - is standard input')
    .addOption(new Option('--reason <reason>', 'only this reason').choices([...REASONS]))
    .option('--scope <scope>', 'only of this scope: all, or the name of a stream')
    .option('--source <name>', 'instead of addresses: take back what this webhook said')
    .option(
      '--not-made-by-mapping',
      'instead of addresses: suppressions that today’s mapping would not make',
      false,
    )
    .option(
      '--from <time>',
      'with --source: received then or later: 2026-01-31T08:00Z, or how long ago: 36h; with --not-made-by-mapping: in force since then',
      time,
    )
    .option('--to <time>', 'before then', time)
    .option('--yes-change <n>', 'without addresses: do it, for just so many as it was said', count);
  ordered(command);
  act<LiftOptions>(command, async () => (await import('./suppressions-change-action.ts')).liftAction);
  command.addHelpText(
    'after',
    '\nWithout addresses nothing is done until --yes-change says the number that was shown. What is taken back of a source does not\ncount any more, also when it is sent, replayed or backfilled again; what others said of the same recipients stays.',
  );
  return examples(
    command,
    'suppressions lift ann@example.com --why "wrote to us" --reason complaint',
    'suppressions lift --source main --from 2026-01-31T08:00Z --to 2026-01-31T09:00Z --why "secret leaked"',
    'suppressions lift --source main --from 2026-01-31T08:00Z --to 2026-01-31T09:00Z --why "secret leaked" --yes-change 1234',
    'suppressions lift --not-made-by-mapping --from 30d --why "full mailboxes were read as hard bounces"',
  );
}

function ordered(command: Command): void {
  command
    .requiredOption('--why <text>', 'why; kept with the recipient', reasonText)
    .option('--by <name>', 'who says so (default: the user of the system)', nameText)
    .option('--wait <seconds>', 'how long to wait until it has come into force', seconds, 60)
    .option('--no-wait', 'do not wait until it has come into force');
}

/** They are kept with every recipient, and shown on one line. */
const MAX_WHY = 500;
const MAX_NAME = 100;

export const reasonText = (text: string) => bounded(text, MAX_WHY);
export const nameText = (text: string) => bounded(text, MAX_NAME);

function bounded(text: string, max: number): string {
  const trimmed = text.trim();
  if (trimmed !== '' && trimmed.length <= max) return trimmed;
  throw new InvalidArgumentError(`a text of 1 to ${max} characters is needed`);
}

const time = (text: string): number => parseTime(text);

function positive(text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1) throw new InvalidArgumentError('a number from 1 is needed');
  return number;
}

function count(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('a number from 0 is needed');
  return Number(text);
}

function seconds(text: string): number {
  const number = Number(text);
  if (!(number > 0 && number <= 86_400)) throw new InvalidArgumentError('seconds are needed: 60');
  return number;
}
