import { join } from 'node:path';
import { runUnderProjectNode } from '../../bin/run-child.mjs';
import { type Action, configFile } from '../command.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { REPOSITORY } from '../home.ts';
import { type ServiceName, serviceOf } from '../services.ts';

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

/** The entry file as a process of its own, with the arguments of Node that it wants; signals are passed on. */
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
