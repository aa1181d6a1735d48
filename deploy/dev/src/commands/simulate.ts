import { act, Command, examples, InvalidArgumentError, positive, whole } from '@email-events/cli/command';
import type { SimulateOptions } from './simulate-action.ts';

const collect = (value: string, values: readonly string[] = []): string[] => [...values, value];

export function simulateCommand(): Command {
  const command = new Command('simulate')
    .description('Send realistic, correctly signed traffic of the simulated ESPs to the local ingress')
    .option('--events <n>', 'distinct events', whole, 5_000)
    .option('--rate <n>', 'events a second (default: as fast as it goes)', positive)
    .option('--seed <n>', 'the same seed makes the same traffic', whole)
    .option('--duplicates <share>', 'share of events that are sent again', share, 0.05)
    .option('--invalid <share>', 'share of requests that must be refused or dead-lettered', share, 0.01)
    .option('--esp <name>', 'only these ESPs (all of them can be named): with commas, or repeated', collect)
    .option('--concurrency <n>', 'requests at a time', whole)
    .option('--url <url>', 'base URL of the ingress (default: of the local pipeline)');
  act<SimulateOptions>(command, async () => (await import('./simulate-action.ts')).simulateAction);
  return examples(
    command,
    'simulate',
    'simulate --events 100000 --rate 500',
    'simulate --esp sendgrid --esp postmark --seed 7 --json',
  );
}

function share(text: string): number {
  const number = Number(text);
  if (text.trim() === '' || !(number >= 0 && number < 1)) {
    throw new InvalidArgumentError('a share from 0 to below 1 is needed');
  }
  return number;
}
