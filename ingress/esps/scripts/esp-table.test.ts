import { expect, test } from 'vitest';
import { adapters } from '../src/registry.ts';
import { espTable, fillsTable, guideTable } from './esp-table.ts';

test.each([
  ['of all', espTable],
  ['of what they fill', fillsTable],
  ['of their guides', guideTable],
])(
  'the table %s has a row for every ESP of the registry, in its order, and equally many cells',
  (_which, table) => {
    const [header = '', , ...rows] = table().split('\n');
    expect(rows.map((row) => /`([^`]+)`/.exec(row)?.[1])).toEqual(adapters.map(({ name }) => name));
    const cells = (line: string) => line.split(/(?<!\\)\|/).length;
    expect(rows.map(cells)).toEqual(rows.map(() => cells(header)));
  },
);

test('says which types an ESP reports, and escapes what would break the table', () => {
  const [adapter] = adapters;
  if (!adapter) throw new Error('no adapters');
  const facts = {
    ...adapter.facts,
    eventTypes: { Sent: 'queued', Bounce: 'bounced' },
    identity: 'a|b',
  } as const;
  const row = espTable([{ ...adapter, facts }]).split('\n')[2];
  expect(row).toContain('| queued, bounced |');
  expect(row).toContain('a\\|b');
});

test('says what an ESP fills by itself, in its own words', () => {
  const [adapter] = adapters;
  if (!adapter) throw new Error('no adapters');
  const facts = { ...adapter.facts, fills: { tags: '`labels`', campaign: 'mailing' } };
  expect(fillsTable([{ ...adapter, facts }]).split('\n')[2]).toBe(
    `| \`${adapter.name}\` | mailing | – | – | – | – | \`labels\` | – |`,
  );
});
