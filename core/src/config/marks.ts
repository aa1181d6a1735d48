import { z } from 'zod';
import type { JsonSchema } from './json-schema.ts';
import type { Secret } from './secret.ts';

/**
 * The marks that a schema gives a text beside its type, as JSON Schema's `format`. At run time only the mark tells a secret or the
 * name of a file: keys may be called anything.
 */
export const SECRET = 'secret';
export const FILE = 'file';

/** A secret before it is read. The compiler knows it by the brand, as code at run time does by the mark. */
type SecretText = string & z.core.$brand<typeof SECRET>;

/**
 * A field that holds a secret, or a reference to one. `loadConfig` makes a Secret of it. Has no default: a default
 * is not in the data that secrets are read from.
 */
export const secret = (description: string) =>
  z.string().meta({ description, format: SECRET }).brand<typeof SECRET>();

/** A field that names a file of the machine that reads the configuration. */
export const fileName = (description: string) => z.string().meta({ description, format: FILE });

/** The output type of a schema with a Secret in each place that the schema marks as one, be it optional, in a list or in a map. */
export type WithSecrets<T> = unknown extends T
  ? T
  : T extends SecretText
    ? Secret
    : T extends object
      ? { [K in keyof T]: WithSecrets<T[K]> }
      : T;

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
