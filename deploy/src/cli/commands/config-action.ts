import { ConfigError, type ConfigProblem, loadConfig, type PipelineConfig } from '@email-events/core/config';
import pc from 'picocolors';
import { type Action, configFile } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { print, printJson } from '../output.ts';

export const checkAction: Action<object> = async (options) => {
  const file = configFile(options);
  const problems = await problemsOf(file);
  if (options.json) printJson({ ok: problems.length === 0, file: file ?? null, problems });
  else print(render(file, problems));
  return problems.length > 0 ? EXIT.failed : EXIT.ok;
};

/** The file's own problems, or, once it can be read as a whole, those that only a service can see. */
async function problemsOf(file: string | undefined): Promise<readonly ConfigProblem[]> {
  let config: PipelineConfig;
  try {
    config = loadConfig(file);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return (await serviceChecks()).flatMap((check) => problemsFrom(() => check(config)));
}

type Check = (config: PipelineConfig) => void;

async function serviceChecks(): Promise<Check[]> {
  const [{ checkIngressConfig }, { checkCrmSettings }] = await Promise.all([
    import('@email-events/ingress'),
    import('@email-events/sink-crm'),
  ]);
  return [checkIngressConfig, checkCrmSettings];
}

function problemsFrom(check: () => void): readonly ConfigProblem[] {
  try {
    check();
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

function render(file: string | undefined, problems: readonly ConfigProblem[]): string {
  const name = file ?? 'defaults and environment';
  if (problems.length === 0) return `${pc.green('ok')} ${name}`;
  const lines = problems.map(({ path, message }) => `  ${pc.bold(path)}: ${message}`);
  return [`${pc.red(`${problems.length} problem(s)`)} in ${name}`, ...lines].join('\n');
}
