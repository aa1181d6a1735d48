import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';
import { renderMigrations } from '@email-events/cli/commands/clickhouse';
import { renderPlan } from '@email-events/cli/commands/topics';
import { counted, formatTime } from '@email-events/cli/output';
import { expect, test } from 'vitest';
import { overlap } from './simulate/index.ts';

test('one and several', () => {
  expect([counted(0, 'letter'), counted(1, 'letter'), counted(12_345, 'letter')]).toEqual([
    ...['0 letters', '1 letter', '12,345 letters'],
  ]);
  expect([counted(1, 'retry', 'retries'), counted(2, 'retry', 'retries')]).toEqual(['1 retry', '2 retries']);
});

test('times in tables are of one form; what is none is shown', () => {
  const text = '2026-01-02 03:04:05';
  expect([formatTime(Date.UTC(2026, 0, 2, 3, 4, 5, 678)), formatTime('2026-01-02T03:04:05.678Z')]).toEqual([
    ...[text, text],
  ]);
  expect(formatTime('soon')).toBe('soon');
});

test('migrations are a table', async () => {
  const pending = [
    { version: 2, name: 'second', statements: ['SELECT 1'] },
    { version: 3, name: 'third', statements: ['SELECT 1', 'SELECT 2'] },
  ];
  const text = await renderMigrations(
    { newer: [], keep: [], applied: [{ version: 1, name: 'first' }], pending },
    false,
  );
  expect(stripVTControlCharacters(text).split('\n')).toEqual([
    'migration',
    '0001 first   applied before',
    '0002 second  done            1 statement',
    '0003 third   done            2 statements',
  ]);
});

test('a topic of one partition and one replica', async () => {
  const create = { topic: 'email.raw', kind: 'create', partitions: 1, replicationFactor: 1 } as const;
  const text = await renderPlan({ actions: [create], changes: 1, problems: 0 }, 'to do');
  expect(stripVTControlCharacters(text)).toContain('1 partition, 1 replica\n\n1 change to make');
});

test('reasons that are more than the suppressed are said to overlap', () => {
  expect(overlap({ suppressed: 2, byReason: { complaint: 1, hard_bounce: 1 } })).toBe('');
  expect(overlap({ suppressed: 1, byReason: { complaint: 1, hard_bounce: 1 } })).toContain('overlap');
});

test('there is one printer of tables, and nobody leaves the plural to the reader', () => {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const sources = readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((name) => /^(cli|dev)\/src\/.*\.ts$/.test(name) && !/\.(test|fixture)\.ts$/.test(name))
    .map((name) => ({ name, text: readFileSync(join(root, name), 'utf8') }));
  expect(sources.length).toBeGreaterThan(100);
  expect(sources.filter(({ text }) => text.includes("'cli-table3'")).map(({ name }) => name)).toEqual([
    'cli/src/output.ts',
  ]);
  expect(sources.filter(({ text }) => /[a-z]\(s\)/.test(text)).map(({ name }) => name)).toEqual([]);
});
