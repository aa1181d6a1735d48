import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { format, inspect } from 'node:util';
import { pino } from 'pino';
import { afterAll, expect, test } from 'vitest';
import { resolveSecret, Secret } from './secret.ts';

const dir = mkdtempSync(join(tmpdir(), 'secret-'));
afterAll(() => rmSync(dir, { recursive: true }));

function fileOf(name: string, text: string): string {
  const path = join(dir, name);
  writeFileSync(path, text);
  return path;
}

test('a reference to a variable or a file gives its value; other text stands for itself', () => {
  expect(resolveSecret('env:NAME', { NAME: 'value' })).toBe('value');
  expect(resolveSecret(`file:${fileOf('plain', 'value')}`, {})).toBe('value');
  expect(resolveSecret('user:pass:word', {})).toBe('user:pass:word');
});

test('one line end after the value in a variable is not part of it either', () => {
  expect(resolveSecret('env:KEY', { KEY: 'value\n' })).toBe('value');
  expect(resolveSecret('env:KEY', { KEY: 'a b \r\n' })).toBe('a b ');
});

test('one line end after the value in a file is not part of it, other space is', () => {
  expect(resolveSecret(`file:${fileOf('unix', 'a b \n')}`, {})).toBe('a b ');
  expect(resolveSecret(`file:${fileOf('dos', 'value\r\n')}`, {})).toBe('value');
  expect(resolveSecret(`file:${fileOf('two', 'value\n\n')}`, {})).toBe('value\n');
});

test.each([
  ['env:NAME', {}, /variable NAME is not set/],
  ['env:NAME', { NAME: '' }, /env:NAME is empty/],
  ['env:NAME', { NAME: '  \n' }, /env:NAME is empty/],
  ['env:', {}, /is not set/],
  ['', {}, /the secret is empty/],
  ['   ', {}, /the secret is empty/],
  [`file:${fileOf('empty', '\n')}`, {}, /empty is empty/],
  [`file:${join(dir, 'missing')}`, {}, /missing cannot be read/],
  [`file:${dir}`, {}, /cannot be read/],
])('%j is refused, and the message names the place', (reference, env, message) => {
  expect(() => resolveSecret(reference, env as never)).toThrow(message);
});

test('a secret shows only to who asks', () => {
  const secret = new Secret('hunter2');
  expect(secret.reveal()).toBe('hunter2');
  let logged = '';
  const stream = new Writable({
    write(chunk, _encoding, done) {
      logged += chunk;
      done();
    },
  });
  const log = pino({}, stream);
  log.info(
    { secret, config: { secrets: [secret] }, err: new Error(`${secret}`) },
    '%s %o %j',
    secret,
    secret,
    secret,
  );
  const shown = [
    JSON.stringify({ secrets: [secret] }),
    `${secret}`,
    String(secret),
    `${[secret]}`,
    inspect({ secret }, { depth: 9, showHidden: true }),
    format('%s %o %O %j', secret, secret, secret, secret),
    JSON.stringify({ ...secret }),
    JSON.stringify(Object.entries(secret)),
    inspect(structuredClone({ ...secret })),
    logged,
  ].join('\n');
  expect([JSON.stringify(secret), `${secret}`, inspect(secret)]).toEqual(['"***"', '***', '***']);
  expect(shown).not.toContain('hunter2');
});
