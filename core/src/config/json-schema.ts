import { z } from 'zod';
import type { Finding } from './problems.ts';

/** The part of JSON Schema that the configuration's own description uses. */
export interface JsonSchema {
  type?: string;
  format?: string;
  description?: string;
  default?: unknown;
  enum?: unknown[];
  const?: unknown;
  properties?: { [name: string]: JsonSchema };
  additionalProperties?: JsonSchema | boolean;
  items?: JsonSchema;
  anyOf?: JsonSchema[];
  oneOf?: JsonSchema[];
}

/** A schema of the configuration: what checks it, and the same as data for what is derived from it. */
export interface ConfigSchema<C> {
  readonly parser: z.ZodType;
  /** For names of variables, marks of secrets and files, the reference file. */
  readonly json: JsonSchema;
  /** Keys that do not go together, and values that work and should be looked at. */
  findings(config: C): readonly Finding[];
  /** Sections, by dotted name, that may be there and are for other services to judge. */
  readonly others: readonly string[];
}

/** The default of the key at a dotted path. */
export const defaultAt = (schema: JsonSchema, path: string): unknown =>
  path.split('.').reduce<JsonSchema | undefined>((of, key) => of?.properties?.[key], schema)?.default;

/** The parser takes `{}`, as each of its keys may be left out. */
export function configSchemaOf<C>(
  parser: z.ZodType,
  rest: Pick<ConfigSchema<C>, 'findings' | 'others'>,
): ConfigSchema<C> {
  return { parser, json: z.toJSONSchema(parser, { io: 'input' }) as JsonSchema, ...rest };
}
