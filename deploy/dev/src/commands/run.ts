import { type Action, type Command, examples, onRun, whole } from '@email-events/cli/command';
import {
  type RunOptions as OfService,
  RUN_EXAMPLES,
  runScript,
  runAction as runService,
  serviceCommand,
} from '@email-events/cli/commands/run';
import { PipelineError } from '@email-events/core/errors';
import { processes, processOf } from '../run/services.ts';

/** `run` as operators have it, and of the receiver as well. */
export function runCommand(): Command {
  const command = serviceCommand(processes)
    .option('--port <n>', 'of the receiver alone: its port (default: 8090)', whole)
    .option('--data-dir <folder>', 'of the receiver alone: where it keeps what it took');
  onRun<RunOptions>(command, runAction);
  return examples(command, ...RUN_EXAMPLES, 'run receiver --port 8090 --data-dir .email-events/receiver');
}

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
