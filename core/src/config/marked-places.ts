import type { JsonSchema } from './json-schema.ts';
import { SECRET } from './marks.ts';

/** Returns the schema of the place below this one; undefined if the schema has no such place. */
export function schemaBelow(schema: JsonSchema, key: string): JsonSchema | undefined {
  const found = alternativesOf(schema).flatMap((one) => below(one, key) ?? []);
  return found.length > 1 ? { anyOf: found } : found[0];
}

function below(schema: JsonSchema, key: string): JsonSchema | undefined {
  if (schema.items) return schema.items;
  if (schema.properties && Object.hasOwn(schema.properties, key)) return schema.properties[key];
  if (typeof schema.additionalProperties === 'object') return schema.additionalProperties;
  return takesAnything(schema) ? schema : undefined;
}

/** Whether the schema marks what is at this place, or one of the things that may be there. */
export function isMarked(schema: JsonSchema, mark: string): boolean {
  return alternativesOf(schema).some(({ format }) => format === mark);
}

/**
 * Whether a value could be a secret, for code that shows a configuration before it is checked: the operator may have written
 * a secret under a misspelt key, or a single one where a list belongs.
 */
export function mayBeSecret(value: string | number, schema: JsonSchema | undefined): boolean {
  if (schema === undefined) return true;
  if (typeof value === 'string' && isMarked(schema, SECRET)) return true;
  return !alternativesOf(schema).some((one) => takesAnything(one) || typeNames(value).includes(one.type));
}

const typeNames = (value: string | number): (string | undefined)[] =>
  typeof value === 'string' ? ['string'] : ['number', 'integer'];

function alternativesOf(schema: JsonSchema): JsonSchema[] {
  const alternatives = schema.anyOf ?? schema.oneOf;
  return alternatives ? alternatives.flatMap(alternativesOf) : [schema];
}

const takesAnything = (schema: JsonSchema) =>
  schema.type === undefined && schema.enum === undefined && schema.const === undefined;
