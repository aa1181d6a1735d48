import { expect, expectTypeOf, test } from 'vitest';
import { z } from 'zod';
import type { JsonSchema } from './json-schema.ts';
import { isMarked, SECRET, secret, type WithSecrets } from './marks.ts';
import type { Secret } from './secret.ts';
import type { vaultShape } from './vault.fixture.ts';

type Vault = NonNullable<WithSecrets<z.output<typeof vaultShape.vault>>>;

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
