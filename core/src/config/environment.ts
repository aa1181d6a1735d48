import { parse } from 'yaml';
import type { JsonSchema } from './json-schema.ts';
import type { Env } from './secret.ts';

const PREFIX = 'EMAIL_EVENTS_';

type Tree = { [key: string]: unknown };

/** Name of the variable that overrides a key: kafka.clientId → EMAIL_EVENTS_KAFKA_CLIENT_ID. */
export function variableOf(path: readonly string[]): string {
  const words = path.map((part) => part.replace(/([a-z0-9])([A-Z])/g, '$1_$2').replaceAll('-', '_'));
  return PREFIX + words.join('_').toUpperCase();
}

/**
 * Copy of the configuration with the environment's values in place. Lists and maps are written as YAML flow
 * (`[a, b]`) or, for lists of texts, separated by commas. Sources must be named in the file to be overridden.
 */
export function applyEnvironment(data: unknown, env: Env, schema: JsonSchema): unknown {
  if (typeof data !== 'object' || data === null || Array.isArray(data)) return data;
  const copy = structuredClone(data) as Tree;
  override(copy, schema, [], env);
  return copy;
}

function override(tree: Tree, schema: JsonSchema, path: string[], env: Env): void {
  for (const [key, child] of childrenOf(schema, tree)) {
    const at = [...path, key];
    const text = env[variableOf(at)];
    if (text !== undefined) tree[key] = settingOf(text, child);
    else if (child.properties || child.additionalProperties) overrideSection(tree, key, child, at, env);
  }
}

/** Only adds a section that the file lacks if the environment has something to put into it. */
function overrideSection(tree: Tree, key: string, schema: JsonSchema, path: string[], env: Env): void {
  const before = tree[key];
  const section = before === undefined ? {} : before;
  if (typeof section !== 'object' || section === null || Array.isArray(section)) return;
  override(section as Tree, schema, path, env);
  if (before === undefined && Object.keys(section).length > 0) tree[key] = section;
}

function childrenOf(schema: JsonSchema, tree: Tree): [string, JsonSchema][] {
  if (schema.properties) return Object.entries(schema.properties);
  const { additionalProperties } = schema;
  if (typeof additionalProperties !== 'object') return [];
  return Object.keys(tree).map((key) => [key, additionalProperties]);
}

function settingOf(text: string, { type }: JsonSchema): unknown {
  if (type === 'string') return text;
  if (type === 'array' && !text.trimStart().startsWith('[')) {
    return text
      .split(',')
      .map((part) => part.trim())
      .filter((part) => part !== '');
  }
  try {
    // Without the parser's warnings, which quote the text on standard error.
    return parse(text, { logLevel: 'error' });
  } catch {
    // Left as text, which the schema then refuses with the path of the key.
    return text;
  }
}
