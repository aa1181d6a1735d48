import { Command, InvalidArgumentError } from 'commander';
import { act, examples } from '../command.ts';
import type { TailOptions } from './tail-action.ts';

const collect = (value: string, values: readonly string[] = []): string[] => [...values, value];

function positive(text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1) throw new InvalidArgumentError('a number from 1 is needed');
  return number;
}

export function tailCommand(): Command {
  const command = new Command('tail')
    .description('Show the records of topics, decoded, as they arrive. Ctrl-C ends it; it leaves no trace.')
    .argument('<topic...>', 'topics; a * stands for any text (quote it)')
    .option('--from-beginning', 'begin with the oldest record', false)
    .option('--max <n>', 'stop after that many records', positive)
    .option(
      '--filter <field=value>',
      'only records whose field (dotted path) is that; may be repeated',
      collect,
    );
  act<TailOptions>(command, async () => (await import('./tail-action.ts')).tailAction);
  return examples(
    command,
    'tail email.events.bounced',
    "tail 'email.events.*' --filter esp=sendgrid",
    'tail email.suppressions --from-beginning --max 10 --json',
  );
}
