import { Argument, Command } from 'commander';
import { SERVICE_NAMES, SERVICE_TITLES } from '../../run/services.ts';
import { act, examples } from '../command.ts';
import type { RunOptions } from './run-action.ts';
import { whole } from './simulate.ts';

export function runCommand(): Command {
  const list = SERVICE_NAMES.map((name) => `  ${name.padEnd(16)} ${SERVICE_TITLES[name]}`).join('\n');
  const command = new Command('run')
    .description(
      'Run one service in the foreground, against components that are there, until SIGTERM or Ctrl-C',
    )
    .addArgument(new Argument('<service>', 'which one').choices(SERVICE_NAMES))
    .option('--check-config', 'check what this service reads of the configuration, and end', false)
    .option('--port <n>', 'of the receiver alone: its port (default: 8090)', whole)
    .option('--data-dir <folder>', 'of the receiver alone: where it keeps what it took')
    .addHelpText('after', `\nServices:\n${list}`);
  act<RunOptions>(command, async () => (await import('./run-action.ts')).runAction);
  return examples(
    command,
    'run ingress --config deploy/config/pipeline.yaml',
    'run sink-clickhouse --check-config',
    'run receiver --port 8090 --data-dir .email-events/receiver',
  );
}
