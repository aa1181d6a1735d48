import { z } from 'zod';
import type { Secret } from './secret.ts';

/**
 * What the schema says of a text beside its type, as JSON Schema's `format`. It is all that tells a secret or the name of a
 * file at run time: keys may be called anything.
 */
export const SECRET = 'secret';
export const FILE = 'file';

/** A secret before it is read: the brand is for the compiler what the mark is at run time. */
type SecretText = string & z.core.$brand<typeof SECRET>;

/**
 * A field that holds a secret, or a reference to one. `loadConfig` makes a Secret of it. Has no default: a default
 * is not in the data that secrets are read from.
 */
export const secret = (description: string) =>
  z.string().meta({ description, format: SECRET }).brand<typeof SECRET>();

/** A field that names a file of the machine that reads the configuration. */
export const fileName = (description: string) => z.string().meta({ description, format: FILE });

/** What a schema gives, with a Secret in each place that it marks as one, be that optional, in a list or in a map. */
export type WithSecrets<T> = unknown extends T
  ? T
  : T extends SecretText
    ? Secret
    : T extends object
      ? { [K in keyof T]: WithSecrets<T[K]> }
      : T;
