import { join } from 'node:path';
import { PipelineError } from '@email-events/core/errors';
import { runUnderProjectNode } from '../../../bin/run-child.mjs';
import { REPOSITORY } from '../../run/home.ts';
import { NODE_ARGS, SCRIPTS, type ServiceName } from '../../run/services.ts';
import { type Action, type CommonOptions, configFile } from '../command.ts';
import { EXIT } from '../exit-codes.ts';

export interface RunOptions {
  readonly checkConfig: boolean;
  readonly port?: number;
  readonly dataDir?: string;
}

/** The service as a process of its own, with the arguments of Node that it wants; signals are passed on. */
export const runAction: Action<RunOptions> = async (options, [service]) => {
  const name = service as ServiceName;
  const args = name === 'receiver' ? receiverArguments(options) : serviceArguments(options);
  process.env.NODE_ENV ??= 'production';
  const script = join(REPOSITORY, SCRIPTS[name]);
  const code = await runUnderProjectNode([...(NODE_ARGS[name] ?? []), script, ...args], process.execPath);
  return code === 0 ? EXIT.ok : EXIT.failed;
};

function serviceArguments(options: RunOptions & CommonOptions): string[] {
  if (options.port !== undefined || options.dataDir !== undefined) {
    throw new PipelineError('CLI_USAGE', 'reject', '--port and --data-dir are for the receiver alone');
  }
  const file = configFile(options);
  return [
    ...(file === undefined ? [] : ['--config', file]),
    ...(options.checkConfig ? ['--check-config'] : []),
  ];
}

function receiverArguments({ checkConfig, port, dataDir }: RunOptions): string[] {
  if (checkConfig) throw new PipelineError('CLI_USAGE', 'reject', 'the receiver has no configuration');
  return [
    ...(port === undefined ? [] : ['--port', String(port)]),
    ...(dataDir === undefined ? [] : ['--data-dir', dataDir]),
  ];
}
