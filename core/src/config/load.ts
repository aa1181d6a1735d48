import { findings } from './checks/index.ts';
import { applyEnvironment } from './environment.ts';
import { type ConfigSchema, type Parsed, pipelineConfigSchema } from './json-schema.ts';
import type { WithSecrets } from './marks.ts';
import { placed, type ReadFile, readConfigFile } from './places.ts';
import { ConfigError, type ConfigProblem, overlaps } from './problems.ts';
import type { Env } from './secret.ts';
import { secretsIn, withSecrets, writtenOutIn } from './secrets.ts';
import { parseTolerantly } from './tolerant.ts';

/** The configuration as services see it: complete, checked, secrets wrapped. */
export type PipelineConfig = WithSecrets<Parsed>;
export type SourceConfig = PipelineConfig['sources'][string];

/** Sections that have secrets, and sections that say what one service does. */
export type ConfigSection =
  | Exclude<keyof PipelineConfig, 'sinks'>
  | `sinks.${keyof PipelineConfig['sinks'] & string}`;

export interface ConfigUse {
  /**
   * Sections that the reader uses; default: all. Secrets of these are read now. Any other is when somebody reveals it, which
   * throws ConfigError if it cannot be: a service needs no secret that is none of its own.
   */
  readonly reads?: readonly ConfigSection[];
  /** What only services can judge; each throws ConfigError. Problems of what cannot be judged are left out. */
  readonly checks?: readonly ((config: PipelineConfig) => void)[];
  /** Default: the pipeline's. One that has more is for tests of what holds for any field. */
  readonly schema?: ConfigSchema;
}

export interface ExaminedConfig {
  /** To be used only if there are no problems: what is wrong is not in it. */
  readonly config: PipelineConfig;
  /** All of them, with where they come from. */
  readonly problems: readonly ConfigProblem[];
  /** Of the sections that are read. */
  readonly warnings: readonly ConfigProblem[];
  /** Secrets that stand in the file themselves, for whoever checks the file: a service need not say so at every start. */
  readonly writtenOut: readonly ConfigProblem[];
}

/** Reads, overrides from the environment, checks and resolves. Throws ConfigError or CONFIG_UNREADABLE. */
export function loadConfig(
  file: string | undefined,
  env: Env = process.env,
  use: ConfigUse = {},
): PipelineConfig {
  return usable(examineConfig(file, env, use));
}

export function parseConfig(data: unknown, env: Env = {}, use: ConfigUse = {}): PipelineConfig {
  return usable(examine({ data, lineOf: () => undefined }, env, use));
}

/** The same, and says what is wrong instead of throwing it. Throws CONFIG_UNREADABLE. */
export function examineConfig(
  file: string | undefined,
  env: Env = process.env,
  use: ConfigUse = {},
): ExaminedConfig {
  return examine(file === undefined ? undefined : readConfigFile(file), env, use);
}

function usable({ config, problems }: ExaminedConfig): PipelineConfig {
  if (problems.length > 0) throw new ConfigError(problems);
  return config;
}

function examine(
  file: ReadFile | undefined,
  env: Env,
  { reads, checks = [], schema = pipelineConfigSchema }: ConfigUse,
): ExaminedConfig {
  const data = applyEnvironment(file?.data ?? {}, env, schema.json);
  const parsed = parseTolerantly(data, schema);
  const isRead = (path: string) =>
    reads === undefined || reads.some((section) => path === section || path.startsWith(`${section}.`));
  const unresolved: ConfigProblem[] = [];
  const secrets = secretsIn(data, schema.json, { env, isRead, problems: unresolved });
  const config = withSecrets(parsed.config, secrets) as PipelineConfig;
  const unknown = [...parsed.leftOut, ...unresolved.map(({ path }) => path)];
  const judged = (path: string) => !unknown.some((left) => overlaps(left, path));

  const found = findings(config).filter(({ path, compared = [] }) => [path, ...compared].every(judged));
  const refused = found.filter(({ level }) => level === 'refuse').map(asProblem);
  const own = [...parsed.problems, ...unresolved, ...refused];
  const services = checks.flatMap((check) => problemsFrom(check, config, own.length > 0));
  const problems = [...own, ...services.filter(({ path }) => judged(path))];
  const warnings = found.filter(({ level, path }) => level === 'warn' && isRead(path)).map(asProblem);
  const literal = writtenOutIn(data, schema.json).filter(
    (path) => !unresolved.some((one) => one.path === path),
  );
  return {
    config,
    problems: placed(withoutRepeats(problems), file, env),
    warnings: placed(warnings, file, env),
    writtenOut: placed(literal.map(asWrittenOut), file, env).filter(({ variable }) => variable === undefined),
  };
}

const asWrittenOut = (path: string): ConfigProblem => ({
  path,
  message: 'the secret itself is in the file, for whoever reads that: write env:NAME or file:/path instead',
});

const asProblem = ({ path, message }: ConfigProblem): ConfigProblem => ({ path, message });

function problemsFrom(
  check: (config: PipelineConfig) => void,
  config: PipelineConfig,
  incomplete: boolean,
): readonly ConfigProblem[] {
  try {
    check(config);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    // It was not made for a configuration that lacks something; what it lacks is told.
    if (incomplete) return [];
    throw error;
  }
}

function withoutRepeats(problems: readonly ConfigProblem[]): ConfigProblem[] {
  const seen = new Set<string>();
  return problems.filter(({ path, message }) => {
    const key = `${path}\n${message}`;
    return !seen.has(key) && seen.add(key);
  });
}
