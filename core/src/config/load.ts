import { applyEnvironment } from './environment.ts';
import type { ConfigSchema } from './json-schema.ts';
import { placed, type ReadFile, readConfigFile } from './places.ts';
import { ConfigError, type ConfigProblem, overlaps } from './problems.ts';
import type { Env } from './secret.ts';
import { secretsIn, withSecrets, writtenOutIn } from './secrets.ts';
import { parseTolerantly } from './tolerant.ts';

type ConfigCheck<C> = (config: C) => readonly ConfigProblem[];

export interface ConfigUse<C> {
  /**
   * Sections that the reader uses; default: all. Their secrets are read now. Any other secret is read when the code reveals it, and
   * revealing throws ConfigError if it cannot be read: so a service starts without the secrets of other services.
   */
  readonly reads?: readonly string[];
  /**
   * Checks that only the services can make; each throws ConfigError, or returns warnings. A problem or a warning is left out if its
   * path cannot be judged.
   */
  readonly checks?: readonly ConfigCheck<C>[];
}

export interface ExaminedConfig<C> {
  /** Use it only if there are no problems: wrong values are left out of it. */
  readonly config: C;
  /** Every problem, with the line or variable that it comes from. */
  readonly problems: readonly ConfigProblem[];
  /** Of the sections that are read. */
  readonly warnings: readonly ConfigProblem[];
  /** Secrets that are written out in the file. The command that checks the file reports them; a service need not do so at every start. */
  readonly writtenOut: readonly ConfigProblem[];
}

/** Reads configurations of one schema. */
export interface ConfigReader<C> {
  readonly schema: ConfigSchema<C>;
  /** Reads, overrides from the environment, checks and resolves. Throws ConfigError or CONFIG_UNREADABLE. */
  load(file: string | undefined, env?: Env, use?: ConfigUse<C>): C;
  /** Does the same with data that were read already; without an environment, unless one is given. Throws ConfigError. */
  parse(data: unknown, env?: Env, use?: ConfigUse<C>): C;
  /** Returns the problems instead of throwing them. Throws CONFIG_UNREADABLE. */
  examine(file: string | undefined, env?: Env, use?: ConfigUse<C>): ExaminedConfig<C>;
}

export function configReader<C>(schema: ConfigSchema<C>): ConfigReader<C> {
  const examineFile: ConfigReader<C>['examine'] = (file, env = process.env, use = {}) =>
    examine(schema, file === undefined ? undefined : readConfigFile(file), env, use);
  return {
    schema,
    load: (file, env, use) => usable(examineFile(file, env, use)),
    parse: (data, env = {}, use = {}) => usable(examine(schema, { data, lineOf: () => undefined }, env, use)),
    examine: examineFile,
  };
}

function usable<C>({ config, problems }: ExaminedConfig<C>): C {
  if (problems.length > 0) throw new ConfigError(problems);
  return config;
}

function examine<C>(
  schema: ConfigSchema<C>,
  file: ReadFile | undefined,
  env: Env,
  { reads, checks = [] }: ConfigUse<C>,
): ExaminedConfig<C> {
  const { data, unknown } = withoutOthers(applyEnvironment(file?.data ?? {}, env, schema.json), schema);
  const parsed = parseTolerantly(data, schema.parser);
  const isRead = (path: string) =>
    reads === undefined || reads.some((section) => path === section || path.startsWith(`${section}.`));
  const unresolved: ConfigProblem[] = [];
  const secrets = secretsIn(data, schema.json, { env, isRead, problems: unresolved });
  const config = withSecrets(parsed.config, secrets) as C;
  const missing = [...parsed.leftOut, ...unresolved.map(({ path }) => path)];
  const judged = (path: string) => !missing.some((left) => overlaps(left, path));

  const found = schema
    .findings(config)
    .filter(({ path, compared = [] }) => [path, ...compared].every(judged));
  const refused = found.filter(({ level }) => level === 'refuse').map(asProblem);
  const own = [...unknown, ...parsed.problems, ...unresolved, ...refused];
  const services = checks.map((check) => outcomeOf(check, config, own.length > 0));
  const ofServices = (kind: keyof CheckOutcome) =>
    services.flatMap((outcome) => outcome[kind]).filter(({ path }) => judged(path));
  const problems = [...own, ...ofServices('problems')];
  const doubtful = found.filter(({ level }) => level === 'warn').map(asProblem);
  const warnings = [...doubtful, ...ofServices('warnings')].filter(({ path }) => isRead(path));
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

interface CheckOutcome {
  readonly problems: readonly ConfigProblem[];
  readonly warnings: readonly ConfigProblem[];
}

function outcomeOf<C>(check: ConfigCheck<C>, config: C, incomplete: boolean): CheckOutcome {
  try {
    return { problems: [], warnings: check(config) };
  } catch (error) {
    if (error instanceof ConfigError) return { problems: error.problems, warnings: [] };
    // The check expects a complete configuration. The parts that are missing are reported already.
    if (incomplete) return { problems: [], warnings: [] };
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

type Tree = { [key: string]: unknown };

/**
 * Returns the data without the sections of other services. One service can neither judge nor show those, as it does not know which of
 * their fields are secrets. The keys that are left belong to this service or are misspelt. `unknown` has the misspelt keys of a group
 * such as `sinks` in which this service has no section.
 */
function withoutOthers<C>(
  data: unknown,
  { others, json }: Pick<ConfigSchema<C>, 'others' | 'json'>,
): { readonly data: unknown; readonly unknown: readonly ConfigProblem[] } {
  if (!isTree(data)) return { data, unknown: [] };
  const left = { ...data };
  const unknown: ConfigProblem[] = [];
  for (const key of new Set(others.map((name) => name.split('.')[0] ?? ''))) {
    const names = others
      .filter((name) => name.startsWith(`${key}.`))
      .map((name) => name.slice(key.length + 1));
    const group = left[key];
    const rest = isTree(group) ? omit(group, names) : group;
    if (json.properties?.[key]) {
      left[key] = rest;
      continue;
    }
    delete left[key];
    if (names.length === 0 || !(key in data)) continue;
    if (!isTree(rest)) unknown.push({ path: key, message: 'must have keys, one for each service' });
    else
      unknown.push(...Object.keys(rest).map((name) => ({ path: `${key}.${name}`, message: 'unknown key' })));
  }
  return { data: left, unknown };
}

const isTree = (data: unknown): data is Tree =>
  typeof data === 'object' && data !== null && !Array.isArray(data);

const omit = (tree: Tree, names: readonly string[]): Tree =>
  Object.fromEntries(Object.entries(tree).filter(([name]) => !names.includes(name)));
