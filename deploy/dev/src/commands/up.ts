import { act, Command, examples } from '@email-events/cli/command';
import type { UpOptions } from './up-action.ts';

export function upCommand(): Command {
  const command = new Command('up')
    .description('Start the whole pipeline on this machine: Kafka, registry, ClickHouse and all services')
    .option('--detach', 'leave it running and return when it is ready', false)
    .option('--any-ports', 'take any free ports in place of the usual ones', false);
  act<UpOptions>(command, async () => (await import('./up-action.ts')).upAction);
  return examples(command, 'up', 'up --detach', 'status', 'down');
}
