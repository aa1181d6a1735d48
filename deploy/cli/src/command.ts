import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import type { ExitCode } from './exit-codes.ts';
import { homeFolder } from './home.ts';
import type { PipelineConfig } from './services.ts';

// The commands of deploy/dev are of the same library: its errors are known by their class.
export { Argument, Command, CommanderError, InvalidArgumentError, Option } from 'commander';
export { fromOne, positive, time, whole } from './option-values.ts';

/** Options that every command takes. */
export interface CommonOptions {
  readonly json: boolean;
  readonly verbose: boolean;
  readonly config?: string;
}

/** A command's work: resolves with its exit code, rejects with a coded error. */
export type Action<O> = (options: O & CommonOptions, args: readonly string[]) => Promise<ExitCode>;

/** Runs the action with all options, the program's included, and leaves its exit code. `lines`: examples, if there are any. */
export function onRun<O>(command: Command, action: Action<O>, ...lines: readonly string[]): Command {
  command.action(async () => {
    process.exitCode = await action(command.optsWithGlobals() as O & CommonOptions, command.args);
  });
  return lines.length === 0 ? command : examples(command, ...lines);
}

/** Text below the options. */
export function examples(command: Command, ...lines: readonly string[]): Command {
  return command.addHelpText(
    'after',
    `\nExamples:\n${lines.map((line) => `  $ npx email-events ${line}`).join('\n')}`,
  );
}

/**
 * The configuration file that a command means: the one that was named, else EMAIL_EVENTS_CONFIG, else that of the
 * local pipeline, once it was started; undefined: defaults and environment.
 */
export function configFile({ config }: { readonly config?: string }): string | undefined {
  const local = join(homeFolder(), 'run', 'pipeline.yaml');
  return config ?? process.env.EMAIL_EVENTS_CONFIG ?? (existsSync(local) ? local : undefined);
}

/** Secrets are read when something needs them: a command needs no other's. Throws ConfigError. */
export async function loadPipelineConfig(options: { readonly config?: string }): Promise<PipelineConfig> {
  const { pipelineConfig } = await import('./services.ts');
  return pipelineConfig.load(configFile(options), process.env, { reads: [] });
}
