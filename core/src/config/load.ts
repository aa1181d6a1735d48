import { readFileSync } from 'node:fs';
import { parse, YAMLParseError } from 'yaml';
import type { z } from 'zod';
import { codeOf, PipelineError } from '../errors.ts';
import { applyEnvironment } from './environment.ts';
import { configJsonSchema, type JsonSchema } from './json-schema.ts';
import { pipelineSchema, SECRET } from './schema.ts';
import { type Env, resolveSecret, Secret } from './secret.ts';

type Revealed<T> = T extends string | number | boolean | undefined | null
  ? T
  : T extends (infer I)[]
    ? Revealed<I>[]
    : {
        [K in keyof T]: K extends 'secrets'
          ? Secret[]
          : K extends 'password'
            ? Exclude<T[K], string> | Secret
            : Revealed<T[K]>;
      };

/** The configuration as services see it: complete, checked, secrets resolved and wrapped. */
export type PipelineConfig = Revealed<z.output<typeof pipelineSchema>>;
export type SourceConfig = PipelineConfig['sources'][string];

export interface ConfigProblem {
  /** Dotted path, e.g. sources.sendgrid.secrets.0 */
  readonly path: string;
  readonly message: string;
}

/** Thrown with every problem at once. */
export class ConfigError extends PipelineError {
  readonly problems: readonly ConfigProblem[];
  constructor(problems: readonly ConfigProblem[]) {
    super('CONFIG_INVALID', 'fatal', problems.map(({ path, message }) => `${path}: ${message}`).join('\n'));
    this.problems = problems;
  }
}

/** Reads, overrides from the environment, checks and resolves. Throws ConfigError or CONFIG_UNREADABLE. */
export function loadConfig(file: string | undefined, env: Env = process.env): PipelineConfig {
  return parseConfig(file === undefined ? {} : readYaml(file), env);
}

export function parseConfig(data: unknown, env: Env = {}): PipelineConfig {
  const overridden = applyEnvironment(data ?? {}, env);
  const result = pipelineSchema.safeParse(overridden);
  const problems: ConfigProblem[] = result.success ? [] : result.error.issues.flatMap(problemsOf);
  const resolved = resolveSecrets(overridden, configJsonSchema, env, problems);
  if (!result.success || problems.length > 0) throw new ConfigError(problems);
  return graft(result.data, resolved) as PipelineConfig;
}

function readYaml(file: string): unknown {
  try {
    return parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new PipelineError('CONFIG_UNREADABLE', 'fatal', `${file}: ${reasonOf(error)}`);
  }
}

/** The parser's own message quotes the lines around the error, which may hold a secret. */
function reasonOf(error: unknown): string {
  if (!(error instanceof YAMLParseError)) return codeOf(error);
  const [at] = error.linePos ?? [];
  return `${error.code} at line ${at?.line ?? '?'}, column ${at?.col ?? '?'}`;
}

function problemsOf(issue: z.core.$ZodIssue): ConfigProblem[] {
  const path = issue.path.join('.');
  if (issue.code !== 'unrecognized_keys') return [{ path: path || '(root)', message: issue.message }];
  return issue.keys.map((key) => ({ path: path ? `${path}.${key}` : key, message: 'unknown key' }));
}

/** A tree of the same shape as data that holds nothing but the resolved secrets. */
function resolveSecrets(
  data: unknown,
  schema: JsonSchema,
  env: Env,
  problems: ConfigProblem[],
  path = '',
): unknown {
  if (schema.format === SECRET && typeof data === 'string') {
    try {
      return new Secret(resolveSecret(data, env));
    } catch (error) {
      problems.push({ path, message: (error as Error).message });
      return undefined;
    }
  }
  if (typeof data !== 'object' || data === null) return undefined;
  const children = Object.entries(data).map(([key, value]) => {
    const child = childSchema(schema, key);
    const childPath = path ? `${path}.${key}` : key;
    return [key, child && resolveSecrets(value, child, env, problems, childPath)] as const;
  });
  return Array.isArray(data) ? children.map(([, value]) => value) : Object.fromEntries(children);
}

function childSchema(schema: JsonSchema, key: string): JsonSchema | undefined {
  if (schema.items) return schema.items;
  if (schema.properties && Object.hasOwn(schema.properties, key)) return schema.properties[key];
  return typeof schema.additionalProperties === 'object' ? schema.additionalProperties : undefined;
}

function graft(config: unknown, secrets: unknown): unknown {
  if (secrets instanceof Secret) return secrets;
  if (Array.isArray(config)) {
    return config.map((value, i) => graft(value, (secrets as unknown[] | undefined)?.[i]));
  }
  if (typeof config !== 'object' || config === null) return config;
  const of = (secrets ?? {}) as { [key: string]: unknown };
  return Object.fromEntries(Object.entries(config).map(([key, value]) => [key, graft(value, of[key])]));
}
