import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { EmailEvent, Suppression, SuppressionReason } from '@email-events/schemas';
import { expect, test } from 'vitest';
import { ANSWERS } from './cookbook/answers.ts';
import type { Told } from './cookbook/rows.ts';
import { eventWith, randomEvents } from './events.ts';
import { makeDatabase, markEvents, writeEvents, writeSuppressions } from './world.ts';

// Every query of the cookbook as it stands there, and the right answer.

const page = readFileSync(join(import.meta.dirname, '../../../sinks/clickhouse/COOKBOOK.md'), 'utf8');
const QUESTIONS = [...page.matchAll(/^### (.+)\n(?:(?!\n###? )[\s\S])*?```sql\n([\s\S]*?)```/gm)].map(
  ([, question = '', sql = '']) => ({ question, sql }),
);

test('there are thirty-five questions, and an answer to each', () => {
  expect(QUESTIONS).toHaveLength(35);
  expect([...page.matchAll(/^### /gm)]).toHaveLength(35);
  expect(QUESTIONS.map(({ question }) => question)).toEqual(Object.keys(ANSWERS));
});

test('each query has the right answer', async () => {
  const database = await makeDatabase();
  const now = Date.now();
  const all: EmailEvent[] = [
    ...randomEvents(41, 4_000).map(
      (event, n): EmailEvent => ({
        ...event,
        esp: event.source === 'main' ? 'ses' : 'sendgrid',
        ...(event.type === 'clicked' ? { url: `https://shop.example/${n % 3}` } : {}),
      }),
    ),
    ...recent(now),
  ];
  for (let from = 0; from < all.length; from += 1_000)
    await writeEvents(database, all.slice(from, from + 1_000).reverse(), { times: 2 });
  // None of the recent ones, so that each webhook is as fresh as what counts.
  const forged = all.filter(({ occurred_at: at }, n) => n % 29 === 0 && at < now - 7 * 86_400_000);
  await markEvents(database, forged, 'forged', 1);
  const states = suppressionsOf(all);
  await writeSuppressions(database, states);
  const told: Told = { events: all.filter((event) => !forged.includes(event)), forged, states };

  for (const { question, sql } of QUESTIONS) {
    const found = await database.clickhouse.query<object>(sql).catch((error: unknown) => {
      throw new Error(`${question}: ${error}`);
    });
    const wanted = ANSWERS[question]?.(told) ?? [];
    expect(wanted.length, question).toBeGreaterThan(0);
    expect(found.map(comparable), question).toEqual(wanted.map(comparable));
  }
});

/** Rates differ in their last digits, whole numbers of 64 bits come as text. */
function comparable(row: object): object {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => {
      const isNumber = typeof value === 'number' || /^-?\d+$/.test(String(value));
      return [name, isNumber ? Number(Number(value).toPrecision(10)) : value];
    }),
  );
}

function recent(now: number): EmailEvent[] {
  const event = (id: string, type: EmailEvent['type'], minutes: number, fields: object) => {
    const at = now - minutes * 60_000;
    const common = { event_id: id, esp: 'ses', source: 'main', occurred_at: at, received_at: at };
    return eventWith(type, { ...common, ...fields });
  };
  const soft = (recipient: string, minutes: number) =>
    event(`${recipient}-${minutes}`, 'bounced', minutes, { recipient, bounce_class: 'soft' });
  return [
    ...[soft('near@gmail.com', 900), soft('near@gmail.com', 600), soft('near@gmail.com', 300)],
    ...[soft('well@gmail.com', 900), event('w', 'delivered', 600, { recipient: 'well@gmail.com' })],
    soft('once@web.de', 200),
    event('m', 'opened', 5, { recipient: 'near@gmail.com' }),
    event('o', 'delivered', 30, { recipient: 'o@web.de', esp: 'sendgrid', source: 'other' }),
  ];
}

/** Some recipients of these events may not be written to. */
function suppressionsOf(events: readonly EmailEvent[]): Suppression[] {
  const keys = [...new Set(events.map(({ recipient }) => recipient.toLowerCase()))]
    .filter((key) => /@(gmail\.com|web\.de)$/.test(key))
    .sort();
  const because = (reason: SuppressionReason['reason'], scope: string): SuppressionReason => ({
    ...{ reason, scope, since: Date.UTC(2026, 8, 3), esp: 'ses', source: 'main', event_id: 'e' },
    ...{ detail: null, account: null },
  });
  return keys.map((recipient, n) => {
    const reasons = [
      ...(n % 3 === 0 || recipient === 'person3@gmail.com' ? [because('unsubscribe', 'all')] : []),
      ...(n % 4 === 0 || recipient === 'person3@gmail.com' ? [because('unsubscribe', 'news')] : []),
      ...(n % 5 === 0 ? [because('hard_bounce', 'all')] : []),
    ];
    const suppressed = reasons.some(({ scope }) => scope === 'all');
    return { recipient, suppressed, reasons, changed_at: Date.UTC(2026, 8, 3), event_id: 'e', revision: 1 };
  });
}
