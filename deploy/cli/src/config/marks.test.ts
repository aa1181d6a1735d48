import {
  FILE,
  isMarked,
  type JsonSchema,
  mayBeSecret,
  SECRET,
  type Secret,
  schemaBelow,
} from '@email-events/core/config';
import { expect, expectTypeOf, test } from 'vitest';
import { type PipelineConfig, pipelineConfig } from '../services.ts';

test('the secrets of the pipeline are of that type', () => {
  type Sinks = PipelineConfig['sinks'];
  expectTypeOf<PipelineConfig['registry']['password']>().toEqualTypeOf<Secret | undefined>();
  expectTypeOf<NonNullable<PipelineConfig['kafka']['sasl']>['password']>().toEqualTypeOf<Secret>();
  expectTypeOf<PipelineConfig['sources'][string]['secrets']>().toEqualTypeOf<Secret[]>();
  expectTypeOf<NonNullable<Sinks['crm']>['secrets']>().toEqualTypeOf<Secret[]>();
  expectTypeOf<NonNullable<Sinks['crm']>['others'][string]['secrets']>().toEqualTypeOf<Secret[]>();
});

test('what is marked in the pipeline’s schema', () => {
  const marked = (mark: string) =>
    placesOf(pipelineConfig.schema.json, '').filter(([, at]) => isMarked(at, mark));
  expect(marked(SECRET).map(([path]) => path)).toEqual([
    'kafka.sasl.password',
    'registry.password',
    'sources.*.secrets.*',
    'sinks.clickhouse.password',
    'sinks.crm.secrets.*',
    'sinks.crm.others.*.secrets.*',
    'sinks.lookup.tokens.*',
    'alerts.http.secrets.*',
    'erasure.keys.*',
  ]);
  expect(marked(FILE).map(([path]) => path)).toEqual([
    'kafka.tls.caFile',
    'kafka.tls.certFile',
    'kafka.tls.keyFile',
    'ingress.tls.certFile',
    'ingress.tls.keyFile',
    'sinks.lookup.tls.certFile',
    'sinks.lookup.tls.keyFile',
  ]);
  // A default would not be read as a secret.
  for (const [path, at] of marked(SECRET)) expect(at, path).not.toHaveProperty('default');
});

test('the schema says nothing by references or positions, which are not followed', () => {
  expect(JSON.stringify(pipelineConfig.schema.json)).not.toMatch(/"(\$ref|prefixItems|allOf)"/);
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
    .reduce<JsonSchema | undefined>((at, key) => at && schemaBelow(at, key), pipelineConfig.schema.json);
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
