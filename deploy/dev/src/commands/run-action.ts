import type { Action } from '@email-events/cli/command';
import {
  type RunOptions as OfService,
  runScript,
  runAction as runService,
} from '@email-events/cli/commands/run';
import { PipelineError } from '@email-events/core/errors';
import { processOf } from '../run/services.ts';

export interface RunOptions extends OfService {
  readonly port?: number;
  readonly dataDir?: string;
}

export const runAction: Action<RunOptions> = async (options, args) => {
  if (args[0] === 'receiver') return runScript(processOf('receiver').entry, [], receiverArguments(options));
  if (options.port !== undefined || options.dataDir !== undefined)
    throw usage('--port and --data-dir are for the receiver alone');
  return runService(options, args);
};

function receiverArguments({ checkConfig, port, dataDir }: RunOptions): string[] {
  if (checkConfig) throw usage('the receiver has no configuration');
  return [
    ...(port === undefined ? [] : ['--port', String(port)]),
    ...(dataDir === undefined ? [] : ['--data-dir', dataDir]),
  ];
}

const usage = (message: string) => new PipelineError('CLI_USAGE', 'reject', message);
