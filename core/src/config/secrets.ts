import type { JsonSchema } from './json-schema.ts';
import { isMarked, SECRET, schemaBelow } from './marks.ts';
import { ConfigError, type ConfigProblem } from './problems.ts';
import { type Env, isReference, resolveSecret, Secret } from './secret.ts';

export interface SecretContext {
  readonly env: Env;
  /** Whether the secrets below this path are read now; others are read when the code reveals them. */
  readonly isRead: (path: string) => boolean;
  /** Collects the secrets that cannot be read. */
  readonly problems: ConfigProblem[];
}

/**
 * Returns a tree of the same shape as the data that holds only its secrets. A secret that should be read now and cannot be becomes a
 * problem, and `withSecrets` drops it from a list. Revealing a secret that cannot be read, now or later, throws ConfigError.
 */
export function secretsIn(data: unknown, schema: JsonSchema, context: SecretContext, path = ''): unknown {
  if (typeof data === 'string') return isMarked(schema, SECRET) ? secretOf(data, context, path) : undefined;
  if (typeof data !== 'object' || data === null) return undefined;
  const children = Object.entries(data).map(([key, value]) => {
    const child = schemaBelow(schema, key);
    return [key, child && secretsIn(value, child, context, join(path, key))] as const;
  });
  return Array.isArray(data) ? children.map(([, value]) => value) : Object.fromEntries(children);
}

function secretOf(reference: string, { env, isRead, problems }: SecretContext, path: string) {
  if (!isRead(path)) return new Secret(() => resolve(reference, env, path));
  try {
    return new Secret(resolve(reference, env, path));
  } catch (error) {
    problems.push(...(error as ConfigError).problems);
    return new UnreadableSecret(error);
  }
}

function resolve(reference: string, env: Env, path: string): string {
  try {
    return resolveSecret(reference, env);
  } catch (error) {
    throw new ConfigError([{ path, message: (error as Error).message }]);
  }
}

/** Stands in for a secret that cannot be read, so that checks can judge settings that only need it to be there. */
class UnreadableSecret extends Secret {
  constructor(error: unknown) {
    super(() => {
      throw error;
    });
  }
}

/** The configuration with these secrets in place of what refers to them. */
export function withSecrets(config: unknown, secrets: unknown): unknown {
  if (secrets instanceof Secret) return secrets;
  if (Array.isArray(config)) {
    const of = secrets as unknown[] | undefined;
    return config
      .map((value, index) => withSecrets(value, of?.[index]))
      .filter((_, index) => !(of?.[index] instanceof UnreadableSecret));
  }
  if (typeof config !== 'object' || config === null) return config;
  const of = (secrets ?? {}) as { [key: string]: unknown };
  return Object.fromEntries(Object.entries(config).map(([key, value]) => [key, withSecrets(value, of[key])]));
}

/** Paths of the secrets that stand in the data themselves, instead of a reference. */
export function writtenOutIn(data: unknown, schema: JsonSchema, path = ''): string[] {
  if (typeof data === 'string') return isMarked(schema, SECRET) && !isReference(data) ? [path] : [];
  if (typeof data !== 'object' || data === null) return [];
  return Object.entries(data).flatMap(([key, value]) => {
    const child = schemaBelow(schema, key);
    return child ? writtenOutIn(value, child, join(path, key)) : [];
  });
}

/** Every secret of a configuration, or of the part of it at this path. */
export function secretsOf(config: unknown, path = ''): { readonly path: string; readonly secret: Secret }[] {
  if (config instanceof Secret) return [{ path, secret: config }];
  if (typeof config !== 'object' || config === null) return [];
  return Object.entries(config).flatMap(([key, value]) => secretsOf(value, join(path, key)));
}

const join = (path: string, key: string) => (path === '' ? key : `${path}.${key}`);
