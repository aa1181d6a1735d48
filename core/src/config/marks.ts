import { z } from 'zod';
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
