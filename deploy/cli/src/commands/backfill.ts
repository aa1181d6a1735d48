import { Command } from 'commander';
import { act, examples } from '../command.ts';
import { parseTime } from '../time.ts';
import type { BackfillActionOptions } from './backfill-action.ts';

export function backfillCommand(): Command {
  const command = new Command('backfill')
    .description('Read requests again after a mapping was changed; events that never came out come out now')
    .requiredOption(
      '--from <time>',
      'requests that reached Kafka then or later: 2026-01-31, 2026-01-31T08:00Z, 36h',
      time,
    )
    .option('--to <time>', 'before then (default: now)', time)
    .option('--esp <name>', 'only of these ESPs: with commas, or repeated', collect)
    .option('--source <name>', 'only of these webhooks', collect)
    .option(
      '--retype',
      'events that are another type today come out in place of those that came out, which do not count any more',
      false,
    )
    .option('--dry-run', 'say what would come out, change nothing', false);
  act<BackfillActionOptions>(command, async () => (await import('./backfill-action.ts')).backfillAction);
  command.addHelpText(
    'after',
    '\nWhat came out before is asked of ClickHouse and never comes out again. It can be interrupted and run again.',
  );
  return examples(
    command,
    'backfill --from 7d --esp postmark --dry-run',
    'backfill --from 2026-01-01 --to 2026-01-08 --esp postmark',
  );
}

const time = (text: string): number => parseTime(text);
const collect = (value: string, values: readonly string[] = []): string[] => [...values, ...value.split(',')];
