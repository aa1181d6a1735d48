import { join } from 'node:path';
import { Argument, Command } from 'commander';
import { runUnderProjectNode } from '../../bin/run-child.mjs';
import { type Action, configFile, onRun } from '../command.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { REPOSITORY } from '../home.ts';
import { type ServiceName, serviceOf, services } from '../services.ts';

export function runCommand(): Command {
  const command = serviceCommand(services);
  return onRun<RunOptions>(command, runAction, ...RUN_EXAMPLES);
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

export interface RunOptions {
  readonly checkConfig: boolean;
}

export const runAction: Action<RunOptions> = (options, [service]) => {
  const { entry, nodeArgs } = serviceOf(service as ServiceName);
  const file = configFile(options);
  return runScript(entry, nodeArgs, [
    ...(file === undefined ? [] : ['--config', file]),
    ...(options.checkConfig ? ['--check-config'] : []),
  ]);
};

/** Runs the entry file as a child process with these arguments of Node, and passes signals on to it. */
export async function runScript(
  script: string,
  nodeArgs: readonly string[] | undefined,
  args: readonly string[],
): Promise<ExitCode> {
  process.env.NODE_ENV ??= 'production';
  const line = [...(nodeArgs ?? []), join(REPOSITORY, script), ...args];
  const code = await runUnderProjectNode(line, process.execPath);
  return code === 0 ? EXIT.ok : EXIT.failed;
}
