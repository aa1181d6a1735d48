import { act, type Command, examples, whole } from '@email-events/cli/command';
import { RUN_EXAMPLES, serviceCommand } from '@email-events/cli/commands/run';
import { processes } from '../run/services.ts';
import type { RunOptions } from './run-action.ts';

/** `run` as operators have it, and of the receiver as well. */
export function runCommand(): Command {
  const command = serviceCommand(processes)
    .option('--port <n>', 'of the receiver alone: its port (default: 8090)', whole)
    .option('--data-dir <folder>', 'of the receiver alone: where it keeps what it took');
  act<RunOptions>(command, async () => (await import('./run-action.ts')).runAction);
  return examples(command, ...RUN_EXAMPLES, 'run receiver --port 8090 --data-dir .email-events/receiver');
}
