import { act, Command, examples, whole } from '@email-events/cli/command';
import type { StartOptions } from './start-action.ts';

export function startCommand(): Command {
  const command = new Command('start')
    .description('What npm start runs: up, and with --demo also traffic and a report of what came out')
    .option(
      '--demo',
      'send signed traffic of several ESPs, wait until it is through, compare and report',
      false,
    )
    .option('--exit', 'with --demo: stop everything afterwards; exits 0 only if all figures agree', false)
    .option('--events <n>', 'with --demo: distinct events to send', whole, 20_000)
    .option('--seed <n>', 'with --demo: the same seed makes the same traffic', whole)
    .option('--any-ports', 'take any free ports in place of the usual ones', false);
  act<StartOptions>(command, async () => (await import('./start-action.ts')).startAction);
  return examples(command, 'start', 'start --demo', 'start --demo --exit --events 50000 --seed 7');
}
