import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { composeConfig } from './compose.ts';
import { adminPort, count, section } from './fields.ts';
import { secret } from './marks.ts';
import { ConfigError } from './problems.ts';

const mill = {
  section: 'mill',
  config: section(
    { adminPort: adminPort(9_500), port: count(8_000, 'Port.'), host: z.string().default('::') },
    'Mill.',
  ),
  ports: { port: 'host' },
} as const;
const till = {
  section: 'sinks.till',
  config: z.strictObject({ adminPort: adminPort(9_501), token: secret('Token.').optional() }).optional(),
} as const;
const OTHERS = ['mill', 'sinks.till', 'sinks.chest'];

function problemsOf(parts: Parameters<typeof composeConfig>[0], data: unknown, env = {}) {
  try {
    composeConfig(parts, OTHERS).parse(data, env);
    return [];
  } catch (error) {
    return (error as ConfigError).problems.map(({ path, message }) => `${path}: ${message}`);
  }
}

test('the sections of all parts and the common ones are one configuration', () => {
  const config = composeConfig([mill, till]).parse({ sinks: { till: { token: 'x' } } });
  expect(config.mill.adminPort).toBe(9_500);
  expect(config.sinks.till?.token?.reveal()).toBe('x');
  expect(config.kafka.brokers).toEqual(['127.0.0.1:9092']);
});

test('a section that is optional may be left out, and what may not says so', () => {
  expect(composeConfig([till]).parse({}).sinks.till).toBeUndefined();
  expect(problemsOf([mill], { mill: { prt: 1 } })).toEqual(['mill.prt: unknown key']);
});

test('ports of one service that collide are refused, those of two are looked at', () => {
  expect(problemsOf([mill], { mill: { adminPort: 8_000 } })).toEqual([
    'mill.adminPort: 8000 is mill.port already',
  ]);
  const env = { EMAIL_EVENTS_SINKS_TILL_ADMIN_PORT: '9500' };
  expect(composeConfig([mill, till]).examine(undefined, env).warnings).toMatchObject([
    { path: 'sinks.till.adminPort', variable: 'EMAIL_EVENTS_SINKS_TILL_ADMIN_PORT' },
  ]);
});

describe('sections of other services', () => {
  const theirs = { mill: { anything: 1 }, sinks: { till: 5, chest: { secret: 'hunter2' } } };

  test('are passed over, and not in the configuration', () => {
    const config = composeConfig([], OTHERS).parse(theirs);
    expect(Object.keys(config)).not.toContain('mill');
    expect(JSON.stringify(config)).not.toMatch(/hunter2|anything/);
    expect(problemsOf([mill], { ...theirs, mill: {} })).toEqual([]);
  });

  test('beside its own in a group, too', () => {
    expect(problemsOf([till], { sinks: { till: {}, chest: 'x' } })).toEqual([]);
    expect(problemsOf([till], { sinks: { till: { tokn: 'x' }, chest: 'x' } })).toEqual([
      'sinks.till.tokn: unknown key',
    ]);
  });

  test('a name that no service has is refused, at the top and in a group', () => {
    expect(problemsOf([mill], { mil: {} })).toEqual(['mil: unknown key']);
    expect(problemsOf([mill], { sinks: { tilll: {} } })).toEqual(['sinks.tilll: unknown key']);
    expect(problemsOf([till], { sinks: { tilll: {} } })).toEqual(['sinks.tilll: unknown key']);
    for (const sinks of ['till', ['till'], null])
      expect(problemsOf([mill], { sinks })).toEqual(['sinks: must have keys, one for each service']);
  });

  test('nor do their variables matter, be they one key or the whole section', () => {
    const env = { EMAIL_EVENTS_MILL_PORT: 'abc', EMAIL_EVENTS_SINKS: '[', EMAIL_EVENTS_SINKS_TILL: 'no' };
    expect(problemsOf([], {}, env)).toEqual([]);
    expect(problemsOf([mill], {}, env)).toMatchObject([expect.stringMatching(/^mill.port: /)]);
  });

  test('are refused where all services are known', () => {
    expect(() => composeConfig([mill]).parse(theirs)).toThrow(ConfigError);
  });
});
