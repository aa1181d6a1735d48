import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { answerKind, INGRESS_CODES, type IngressCode } from './codes.ts';

const folder = new URL('.', import.meta.url);
const readme = readFileSync(new URL('../README.md', folder), 'utf8');

test('the README has every code with its meaning, and no other', () => {
  const rows = [...readme.matchAll(/^\| `(INGRESS_[A-Z_]+)` \| (.+) \|$/gm)].map(([, code, doc]) => [
    code,
    doc,
  ]);
  expect(rows).toEqual(Object.entries(INGRESS_CODES).map(([code, { doc }]) => [code, doc]));
});

test('every code is seen in some test', () => {
  const tests = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => readFileSync(new URL(name, folder), 'utf8'))
    .join('\n');
  const unseen = (Object.keys(INGRESS_CODES) as IngressCode[]).filter((code) => !tests.includes(`'${code}'`));
  expect(unseen).toEqual([]);
});

test.each([
  ['SIGNATURE_WRONG', 'unauthorized'],
  ['TOKEN_REPLAYED', 'unauthorized'],
  ['BODY_UNREADABLE', 'bad-request'],
  ['KAFKA_UNREACHABLE', 'later'],
  ['KAFKA_TOPIC_MISSING', 'later'],
  ['KAFKA_RECORD_TOO_LARGE', 'too-large'],
  ['INGRESS_UNEXPECTED', 'later'],
] as const)('%s is answered %s', (code, kind) => {
  expect(answerKind(code)).toBe(kind);
});
