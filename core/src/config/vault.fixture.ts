import { z } from 'zod';
import { commonSchema } from './common.ts';
import { configSchemaOf } from './json-schema.ts';
import { type ConfigReader, configReader } from './load.ts';
import { fileName, secret } from './marks.ts';

const source = commonSchema.shape.sources.unwrap().valueType;

/** Secrets of every shape, under names that say nothing about them. */
export const vaultShape = {
  sources: z.record(z.string(), source.extend({ hook: secret('Of a source.').optional() })).default({}),
  vault: z
    .strictObject({
      token: secret('As it is.'),
      long: secret('With a check.').min(4),
      apiKey: secret('Optional.').optional(),
      maybe: secret('Nullable.').nullable(),
      deep: z.strictObject({ deeper: z.strictObject({ pin: secret('Nested.') }) }),
      ring: z.array(secret('In a list.')),
      byName: z.record(z.string(), secret('In a map.')),
      rows: z.array(z.strictObject({ phrase: secret('In a list of sections.') })).default([]),
      either: z.union([secret('One of two.'), z.strictObject({ half: secret('The other.') })]),
      // These are no secrets, although some have the name of one.
      password: z.string(),
      secrets: z.array(z.string()),
      settings: z.record(z.string(), z.unknown()),
      count: z.int(),
      paper: fileName('A file.').optional(),
    })
    .optional(),
};

/** Returns a reader whose schema has these fields besides its own. */
export function vaultOf<C>({ schema }: ConfigReader<C>): ConfigReader<C> {
  const parser = (schema.parser as z.ZodObject).extend(vaultShape);
  return configReader(configSchemaOf<C>(parser, { findings: schema.findings, others: [] }));
}

/** Where its secrets are. */
export const VAULT_PATHS = [
  'sources.shop.hook',
  'vault.token',
  'vault.long',
  'vault.apiKey',
  'vault.maybe',
  'vault.deep.deeper.pin',
  'vault.ring.0',
  'vault.ring.1',
  'vault.byName.east',
  'vault.rows.0.phrase',
  'vault.either.half',
];

/** The values that are no secrets and stay as they are. */
export const VAULT_OPEN = {
  password: 'open-password',
  secrets: ['open-secret'],
  settings: { password: 'open-setting', list: ['open-item'] },
  count: 7,
};

/** Data for it, with what this makes of each path as the text of the secret. */
export function vaultData(textOf: (path: string) => string) {
  const at = (path: string) => textOf(`vault.${path}`);
  return {
    sources: { shop: { esp: 'mailgun', secrets: ['env:SHOP'], hook: textOf('sources.shop.hook') } },
    vault: {
      token: at('token'),
      long: at('long'),
      apiKey: at('apiKey'),
      maybe: at('maybe'),
      deep: { deeper: { pin: at('deep.deeper.pin') } },
      ring: [at('ring.0'), at('ring.1')],
      byName: { east: at('byName.east') },
      rows: [{ phrase: at('rows.0.phrase') }],
      either: { half: at('either.half') },
      ...VAULT_OPEN,
    },
  };
}

/** A secret that can be told from anything else by `hunter2`. */
export const hunter = (path: string) => `hunter2-of-${path.replaceAll('.', '-')}`;
