import { Command, InvalidArgumentError, Option } from 'commander';
import { act, examples } from '../command.ts';
import { services } from '../services.ts';
import { parseTime } from '../time.ts';
import type { ChangeActionOptions, ListOptions } from './dlq-action.ts';

const ID_HELP = 'as `dlq list` shows it; without /item: all letters of that record';

export function dlqCommand(): Command {
  const command = new Command('dlq').description('Dead letters: what a stage could not process');
  command.addCommand(listCommand());
  command.addCommand(showCommand());
  command.addCommand(replayCommand());
  command.addCommand(discardCommand());
  return command;
}

function listCommand(): Command {
  const command = new Command('list').description('Show dead letters, the newest last');
  selection(command, ['open', 'replayed', 'discarded', 'all'])
    .option('--group', 'count them by stage, code, ESP and status', false)
    .option('--max <n>', 'show the newest n', positive, 100);
  act<ListOptions>(command, async () => (await import('./dlq-action.ts')).listAction);
  return examples(
    command,
    'dlq list',
    'dlq list --group --status all',
    'dlq list --code NORMALIZE_ITEM_INVALID --esp postmark --since 36h --json',
  );
}

function showCommand(): Command {
  const command = new Command('show')
    .description('Show everything that is known of a dead letter, payload included')
    .argument('<id>', ID_HELP);
  act<object>(command, async () => (await import('./dlq-action.ts')).showAction);
  return examples(command, 'dlq show email.raw/3/1042/17', 'dlq show email.raw/3/1042 --json');
}

function replayCommand(): Command {
  const command = new Command('replay')
    .description(
      'Put records back where they came from, for what failed of them only, and mark their letters',
    )
    .argument('[id...]', ID_HELP);
  change(selection(command, ['open', 'discarded']));
  act<ChangeActionOptions>(command, async () => (await import('./dlq-action.ts')).replayAction);
  command.addHelpText('after', '\nWhat fails again is open again, with one more attempt.');
  return examples(
    command,
    'dlq replay --code NORMALIZE_ESP_UNKNOWN --dry-run',
    'dlq replay email.raw/3/1042/17',
    'dlq replay --all',
  );
}

function discardCommand(): Command {
  const command = new Command('discard')
    .description('Mark dead letters as of no use; they stay readable for as long as the topic keeps them')
    .argument('[id...]', ID_HELP)
    .requiredOption('--reason <text>', 'why; kept with the letter');
  change(selection(command, ['open']));
  act<ChangeActionOptions>(command, async () => (await import('./dlq-action.ts')).discardAction);
  return examples(
    command,
    'dlq discard --source staging --reason "test traffic" --dry-run',
    'dlq discard email.raw/3/1042/17 --reason "vendor sent garbage"',
  );
}

/** Those that read records, and so can give them up. */
const stages = services.filter(({ consumes }) => consumes !== undefined).map(({ name }) => name);

function selection(command: Command, statuses: readonly string[]): Command {
  command
    .option('--code <code>', 'only these codes: with commas, or repeated', collect)
    .option('--esp <name>', 'only of these ESPs', collect)
    .option('--stage <name>', `only of these stages: ${stages.join(', ')}`, collect)
    .option('--source <name>', 'only of these webhooks', collect)
    .option('--topic <name>', 'only of records of these topics', collect)
    .option('--since <time>', 'failed then or later: 2026-01-31T08:00Z, or how long ago: 36h', time)
    .option('--until <time>', 'failed before then', time);
  if (statuses.length > 1) {
    command.addOption(
      new Option('--status <status>', 'only in this state').choices(statuses).default(statuses[0]),
    );
  }
  return command;
}

function change(command: Command): Command {
  return command
    .option('--all', 'all of them: needed where neither an id nor a filter is given', false)
    .option('--dry-run', 'say what would be done, change nothing', false);
}

const time = (text: string): number => parseTime(text);

const collect = (value: string, values: readonly string[] = []): string[] => [...values, ...value.split(',')];

function positive(text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1) throw new InvalidArgumentError('a number from 1 is needed');
  return number;
}
