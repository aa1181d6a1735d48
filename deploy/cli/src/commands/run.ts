import { Argument, Command } from 'commander';
import { act, examples } from '../command.ts';
import { services } from '../services.ts';
import type { RunOptions } from './run-action.ts';

export function runCommand(): Command {
  const command = serviceCommand(services);
  act<RunOptions>(command, async () => (await import('./run-action.ts')).runAction);
  return examples(command, ...RUN_EXAMPLES);
}

export const RUN_EXAMPLES: readonly string[] = [
  'run ingress --config deploy/config/pipeline.yaml',
  'run sink-clickhouse --check-config',
];

/** `run` for these services, without its action. */
export function serviceCommand(all: readonly { readonly name: string; readonly title: string }[]): Command {
  const names = all.map(({ name }) => name);
  const list = all.map(({ name, title }) => `  ${name.padEnd(16)} ${title}`).join('\n');
  return new Command('run')
    .description(
      'Run one service in the foreground, against components that are there, until SIGTERM or Ctrl-C',
    )
    .addArgument(new Argument('<service>', 'which one').choices(names))
    .option('--check-config', 'check what this service reads of the configuration, and end', false)
    .addHelpText('after', `\nServices:\n${list}`);
}
