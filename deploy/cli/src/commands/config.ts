import {
  type ConfigProblem,
  type ConfigReader,
  type ExaminedConfig,
  problemText,
} from '@email-events/core/config';
import type { ServiceDescriptor } from '@email-events/core/service';
import { Command } from 'commander';
import pc from 'picocolors';
import { type Action, type CommonOptions, configFile, onRun } from '../command.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { counted, print, printJson } from '../output.ts';
import { type PipelineConfig, pipelineConfig, services } from '../services.ts';
import { visible } from '../terminal.ts';

export function configCommand(): Command {
  const command = new Command('config').description('Check the configuration');
  const check = new Command('check').description(
    'List every problem of the configuration, with its line, and what should be looked at; exits 1 if there is a problem, else 0',
  );
  const ofFile = 'config check --config deploy/config/pipeline.yaml';
  command.addCommand(onRun(check, checkAction, 'config check', ofFile, 'config check --json'));
  return command;
}

/** Every problem of the file, the environment and the secrets, with those that only a service can see, at once. */
export const checkAction: Action<object> = (options) => check(options);

/** The same by another schema than the pipeline's, for tests of what holds for any field. */
export async function check(
  options: CommonOptions,
  reader: ConfigReader<PipelineConfig> = pipelineConfig,
): Promise<ExitCode> {
  const file = configFile(options);
  const checks = await serviceChecks();
  const examined = reader.examine(file, process.env, { checks });
  const { problems } = examined;
  const warnings = [...examined.warnings, ...(await secretsWrittenOut(examined))];
  const ok = problems.length === 0;
  if (options.json) printJson({ ok, file: file ?? null, problems, warnings });
  else print(renderCheck(file, problems, warnings));
  return ok ? EXIT.ok : EXIT.failed;
}

/** Without public keys, which a file may hold for all to read. */
async function secretsWrittenOut({
  config,
  writtenOut,
}: ExaminedConfig<PipelineConfig>): Promise<readonly ConfigProblem[]> {
  const { findAdapter } = await import('@email-events/esps');
  const keyPaths = Object.entries(config.sources)
    .filter(([, { esp }]) => findAdapter(esp)?.credentials.isPublic)
    .map(([name]) => `sources.${name}.secrets.`);
  return writtenOut.filter(({ path }) => !keyPaths.some((keys) => path.startsWith(keys)));
}

async function serviceChecks(): Promise<readonly ((config: PipelineConfig) => readonly ConfigProblem[])[]> {
  const found = await Promise.all(services.map((service: ServiceDescriptor) => service.loadCheck?.()));
  return found.filter((check) => check !== undefined).map(({ check }) => check);
}

export function renderCheck(
  file: string | undefined,
  problems: readonly ConfigProblem[],
  warnings: readonly ConfigProblem[],
): string {
  const name = visible(file ?? 'defaults and environment');
  const lines = (found: readonly ConfigProblem[]) =>
    found.map((problem) => `  ${visible(problemText(problem))}`);
  const head =
    problems.length === 0
      ? `${pc.green('ok')} ${name}`
      : `${pc.red(counted(problems.length, 'problem'))} in ${name}`;
  const doubts =
    warnings.length === 0 ? [] : [pc.yellow(counted(warnings.length, 'warning')), ...lines(warnings)];
  return [head, ...lines(problems), ...doubts].join('\n');
}
