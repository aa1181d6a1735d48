import type { EmailEvent } from '@email-events/schemas';
import { expect } from 'vitest';
import { randomEvents } from './events.ts';
import { groupedBy } from './expected-figures.ts';
import { type Database, makeDatabase, markEvents, writeEvents } from './world.ts';

export interface Row {
  readonly [column: string]: unknown;
}

/** Events that come late and twice, some of them marked as forged, and those that count. */
export async function filled(): Promise<{ database: Database; events: EmailEvent[] }> {
  const database = await makeDatabase();
  const all = randomEvents(11, 4_000);
  for (let from = 0; from < all.length; from += 500)
    await writeEvents(database, all.slice(from, from + 500).reverse(), { times: 2 });
  const forged = all.filter((_, n) => n % 23 === 0);
  await markEvents(database, forged, 'forged', 1);
  return { database, events: all.filter((event) => !forged.includes(event)) };
}

export const providerOf = (domain: string) =>
  ({ '': '', 'gmail.com': 'gmail', 'outlook.de': 'outlook', 'web.de': 'web_de' })[domain] ?? 'other';

/** The view has these groups and no other, with these figures. */
export async function expectRows<Each extends Row>(
  { clickhouse }: Database,
  view: string,
  keys: readonly string[],
  rows: readonly Each[],
  figures: (group: readonly Each[], columns: readonly string[]) => Row,
): Promise<void> {
  const found = await clickhouse.query<Row>(`SELECT * FROM ${view}`);
  expect(found.length).toBeGreaterThan(5);
  const columns = Object.keys(found[0] ?? {});
  const byKey = new Map(found.map((row) => [JSON.stringify(keys.map((key) => row[key])), row]));
  expect(byKey.size).toBe(found.length);
  const groups = groupedBy(rows, ...keys);
  expect([...byKey.keys()].sort()).toEqual([...groups.keys()].sort());
  for (const [key, group] of groups) {
    const { ...row } = byKey.get(key);
    const wanted = {
      ...Object.fromEntries(keys.map((name) => [name, group[0]?.[name]])),
      ...figures(group, columns),
    };
    expect(row).toEqual(wanted);
  }
}
