import { expect, expectTypeOf, test } from 'vitest';
import { z } from 'zod';
import type { JsonSchema } from './json-schema.ts';
import { isMarked, mayBeSecret, schemaBelow } from './marked-places.ts';
import { FILE, SECRET, secret, type WithSecrets } from './marks.ts';
import type { PipelineConfig } from './schema.ts';
import { configJsonSchema } from './schema.ts';
import type { Secret } from './secret.ts';
import type { vaultParser } from './vault.fixture.ts';

type Vault = NonNullable<WithSecrets<z.output<typeof vaultParser>>['vault']>;

test('a marked field is a Secret to the compiler, whatever its key and wherever it is', () => {
  expectTypeOf<Vault['token']>().toEqualTypeOf<Secret>();
  expectTypeOf<Vault['long']>().toEqualTypeOf<Secret>();
  expectTypeOf<Vault['apiKey']>().toEqualTypeOf<Secret | undefined>();
  expectTypeOf<Vault['maybe']>().toEqualTypeOf<Secret | null>();
  expectTypeOf<Vault['deep']['deeper']['pin']>().toEqualTypeOf<Secret>();
  expectTypeOf<Vault['ring']>().toEqualTypeOf<Secret[]>();
  expectTypeOf<Vault['byName']>().toEqualTypeOf<Record<string, Secret>>();
  expectTypeOf<Vault['rows']>().toEqualTypeOf<{ phrase: Secret }[]>();
  expectTypeOf<Vault['either']>().toEqualTypeOf<Secret | { half: Secret }>();
});

test('a field without the mark is none, whatever its key', () => {
  expectTypeOf<Vault['password']>().toEqualTypeOf<string>();
  expectTypeOf<Vault['secrets']>().toEqualTypeOf<string[]>();
  expectTypeOf<Vault['settings']>().toEqualTypeOf<Record<string, unknown>>();
  expectTypeOf<Vault['paper']>().toEqualTypeOf<string | undefined>();
});

test('the secrets of the pipeline are of that type', () => {
  type Sinks = PipelineConfig['sinks'];
  expectTypeOf<PipelineConfig['registry']['password']>().toEqualTypeOf<Secret | undefined>();
  expectTypeOf<NonNullable<PipelineConfig['kafka']['sasl']>['password']>().toEqualTypeOf<Secret>();
  expectTypeOf<PipelineConfig['sources'][string]['secrets']>().toEqualTypeOf<Secret[]>();
  expectTypeOf<NonNullable<Sinks['crm']>['secrets']>().toEqualTypeOf<Secret[]>();
});

test('the mark stays with the field, however it is wrapped', () => {
  const shapes = [
    secret('x').min(4),
    secret('x').optional(),
    secret('x').nullable(),
    secret('x').describe('otherwise'),
    z.union([z.int(), secret('x')]),
  ];
  for (const shape of shapes)
    expect(isMarked(z.toJSONSchema(shape, { io: 'input' }) as JsonSchema, SECRET)).toBe(true);
});

test('what is marked in the pipeline’s schema', () => {
  const marked = (mark: string) => placesOf(configJsonSchema, '').filter(([, at]) => isMarked(at, mark));
  expect(marked(SECRET).map(([path]) => path)).toEqual([
    'kafka.sasl.password',
    'registry.password',
    'sources.*.secrets.*',
    'sinks.clickhouse.password',
    'sinks.crm.secrets.*',
  ]);
  expect(marked(FILE).map(([path]) => path)).toEqual([
    'kafka.tls.caFile',
    'kafka.tls.certFile',
    'kafka.tls.keyFile',
    'ingress.tls.certFile',
    'ingress.tls.keyFile',
  ]);
  // A default would not be read as a secret.
  for (const [path, at] of marked(SECRET)) expect(at, path).not.toHaveProperty('default');
});

test('the schema says nothing by references or positions, which are not followed', () => {
  expect(JSON.stringify(configJsonSchema)).not.toMatch(/"(\$ref|prefixItems|allOf)"/);
});

test.each([
  ['a text at a marked place', 'registry.password', 'x', true],
  ['a number there', 'registry.password', 7, true],
  ['a text at another place', 'registry.url', 'x', false],
  ['a number at its place', 'ingress.port', 7, false],
  ['a text where a number belongs', 'ingress.port', 'x', true],
  ['a text where a list belongs', 'sources.shop.secrets', 'x', true],
  ['an item of a text', 'registry.password.0', 'x', true],
  ['a key that is none', 'registry.passwort', 'x', true],
  ['a choice', 'log.level', 'x', false],
  ['one of two shapes', 'sources.shop.fields.user', 'x', false],
  ['what anything may be', 'sources.shop.options.password', 'x', false],
  ['and below that', 'sources.shop.options.certificates.url', 'x', false],
])('%s: %s', (_, path, value, expected) => {
  const place = path
    .split('.')
    .reduce<JsonSchema | undefined>((at, key) => at && schemaBelow(at, key), configJsonSchema);
  expect(mayBeSecret(value, place)).toBe(expected);
});

/** Each place that the schema names, `*` standing for any item. */
function placesOf(schema: JsonSchema, path: string): [string, JsonSchema][] {
  const { properties = {}, additionalProperties, items } = schema;
  const any = items ?? (typeof additionalProperties === 'object' ? additionalProperties : undefined);
  const children = [...Object.entries(properties), ...(any ? [['*', any] as const] : [])];
  return children.flatMap(([key, child]) => {
    const at = path === '' ? key : `${path}.${key}`;
    return [[at, child] as [string, JsonSchema], ...placesOf(child, at)];
  });
}
