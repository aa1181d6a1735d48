import { createLogger } from '@email-events/core';
import { type EmailEvent, type EventMark, recipientKey, topics } from '@email-events/schemas';
import {
  type ClickHouse,
  type ClickHouseAddress,
  type ClickHouseValue,
  connect,
  createClickHouseSink,
  migrate,
} from '@email-events/sink-clickhouse';
import { expect, onTestFinished, test } from 'vitest';
import { eventOf } from '../bench/typed-events.ts';
import { useStack } from '../harness/stack.ts';

const log = createLogger('clickhouse-reports', 'silent');
const { signal } = new AbortController();
const AT = Date.UTC(2026, 8, 1, 12);
const MINUTE = 60_000;

test('a message that bounced after it was delivered was not delivered', async () => {
  const { address, clickhouse } = await makeDatabase();
  await insert(address, [
    ...people(10, 'delivered'),
    ...people(5, 'bounced', { occurred_at: AT + MINUTE, bounce_class: 'hard' }),
  ]);
  expect(await one(clickhouse, 'deliverability_by_domain')).toMatchObject({
    ...{ attempted: '10', delivered: '5', bounced_hard: '5', bounced_soft: '0', delivery_rate: 0.5 },
  });
  expect(await one(clickhouse, 'campaign_performance')).toMatchObject({
    ...{ sent: '10', delivered: '5', bounced_hard: '5', delivery_rate: 0.5 },
  });
});

test('one that was delivered after a bounce was; of several messages each counts, of a nameless one its recipient', async () => {
  const { address, clickhouse } = await makeDatabase();
  const soft = { bounce_class: 'soft' } as const;
  await insert(address, [
    ...people(4, 'bounced', { ...soft, occurred_at: AT - MINUTE }),
    ...people(4, 'delivered'),
    ...people(4, 'delivered', { esp_message_id: 'second' }),
    ...people(4, 'bounced', { ...soft, esp_message_id: 'third' }),
    ...people(2, 'dropped', { esp_message_id: 'fourth' }),
    ...people(3, 'delivered', { esp_message_id: null, recipient_domain: 'nameless.example' }),
    ...people(1, 'bounced', {
      ...{ ...soft, esp_message_id: null, recipient_domain: 'nameless.example', occurred_at: AT + MINUTE },
    }),
  ]);
  const domains = await clickhouse.query('SELECT * FROM deliverability_by_domain ORDER BY recipient_domain');
  expect(domains).toMatchObject([
    { attempted: '14', delivered: '8', bounced_soft: '4', dropped: '2' },
    { attempted: '3', delivered: '2', bounced_soft: '1', dropped: '0' },
  ]);
});

test('what another source says of a campaign is told apart', async () => {
  const { address, clickhouse } = await makeDatabase();
  await insert(address, [
    ...people(10, 'delivered'),
    ...people(10, 'complained', { source: 'hostile', event_id: 'forged' }),
  ]);
  const rows = await clickhouse.query(
    'SELECT source, complained, complaint_rate FROM campaign_performance ORDER BY source',
  );
  expect(rows).toEqual([
    { source: 'hostile', complained: '10', complaint_rate: null },
    { source: 'main', complained: '0', complaint_rate: 0 },
  ]);
});

test('events that are marked are in no report and stay where they are; unmarked, all is as it was', async () => {
  const { address, clickhouse } = await makeDatabase();
  const forged = [
    ...people(6, 'complained', { event_id: 'forged' }),
    ...people(20, 'opened', { event_id: 'forged', variant: 'B' }),
    ...people(3, 'bounced', { event_id: 'forged', bounce_class: 'hard', occurred_at: AT + MINUTE }),
  ];
  await insert(address, [
    ...people(10, 'delivered'),
    ...people(10, 'delivered', { variant: 'B', esp_message_id: 'b' }),
    ...people(4, 'opened'),
    ...people(5, 'opened', { variant: 'B' }),
    ...people(1, 'complained'),
  ]);
  const honest = await reports(clickhouse);
  await insert(address, forged);
  const before = await reports(clickhouse);
  for (const [view, rows] of Object.entries(before)) expect([view, rows]).not.toEqual([view, honest[view]]);

  await mark(address, forged, 'forged', 1);
  expect(await reports(clickhouse)).toEqual(honest);
  const timeline = await clickhouse.query<{ type: string; mark: string }>(
    "SELECT type, mark FROM recipient_timeline WHERE recipient_key = 'r0@example.com' AND type = 'complained' ORDER BY mark",
  );
  expect(timeline.map((row) => row.mark)).toEqual(['', 'forged']);
  expect(
    await one(clickhouse, 'event_marks_current', `WHERE event_id = '${forged[0]?.event_id}'`),
  ).toMatchObject({
    ...{ mark: 'forged', by: 'maria', why: 'secret leaked', type: 'complained', source: 'main' },
  });
  const [kept] = await clickhouse.query<{ n: string }>('SELECT count() AS n FROM email_events');
  expect(Number(kept?.n)).toBe(30 + forged.length);

  // The clock of who takes it back is behind.
  await mark(address, forged, 'none', -1, AT - MINUTE);
  expect(await reports(clickhouse)).toEqual(before);
  expect(await clickhouse.query('SELECT * FROM event_marks_current')).toEqual([]);
});

test('a timeline is found by its index, however many events are marked', async () => {
  const { address, clickhouse } = await makeDatabase();
  await insert(address, people(10, 'delivered'));
  const plan = await clickhouse.query<{ explain: string }>(
    "EXPLAIN indexes = 1 SELECT * FROM recipient_timeline WHERE recipient_key = 'r0@example.com'",
  );
  expect(plan.map(({ explain }) => explain).join('\n')).toContain('by_recipient');
});

const VIEWS = [
  [
    'events_by_esp_and_type',
    'SELECT type, events FROM events_by_esp_and_type WHERE events > 0 ORDER BY type',
  ],
  [
    'events_hourly',
    'SELECT type, sum(events) AS n FROM events_hourly GROUP BY type HAVING n > 0 ORDER BY type',
  ],
  ['campaign_performance', 'SELECT * FROM campaign_performance ORDER BY variant'],
  ['deliverability_by_domain', 'SELECT * FROM deliverability_by_domain'],
  ['ab_comparison', 'SELECT * FROM ab_comparison ORDER BY variant'],
] as const;

async function reports(clickhouse: ClickHouse): Promise<{ [view: string]: unknown[] }> {
  const shown = VIEWS.map(async ([view, sql]) => [view, await clickhouse.query(sql)] as const);
  return Object.fromEntries(await Promise.all(shown));
}

async function one(clickhouse: ClickHouse, view: string, where = ''): Promise<unknown> {
  const rows = await clickhouse.query(`SELECT * FROM ${view} ${where}`);
  expect(rows).toHaveLength(1);
  return rows[0];
}

function people(count: number, type: EmailEvent['type'], more: Partial<EmailEvent> = {}): EmailEvent[] {
  const { event_id = '', ...rest } = more;
  const says = JSON.stringify([type, more]);
  return Array.from({ length: count }, (_, n) => ({
    ...eventOf(0),
    ...{ type, campaign: 'autumn', variant: 'A', source: 'main', esp: 'sendgrid', is_machine: null },
    ...{ recipient_domain: 'example.com', occurred_at: AT, esp_message_id: 'a', bounce_class: null },
    ...rest,
    recipient: `R${n}@Example.com`,
    event_id: `${event_id}${says}${n}`,
  }));
}

async function insert(address: ClickHouseAddress, events: readonly EmailEvent[]): Promise<void> {
  await write(
    address,
    events.map((event) => [topics.events(event.type), recipientKey(event.recipient), event]),
  );
}

/** As the command writes them. */
async function mark(
  address: ClickHouseAddress,
  events: readonly EmailEvent[],
  name: EventMark['mark'],
  change: number,
  at = AT,
): Promise<void> {
  await write(
    address,
    events.map((event) => [
      topics.eventMarks,
      event.event_id,
      {
        ...{ event_id: event.event_id, mark: name, change, replaced_by: null, at, by: 'maria' },
        ...{ why: 'secret leaked', type: event.type, occurred_at: event.occurred_at },
        ...{ received_at: event.received_at, esp: event.esp, source: event.source, account: null },
        ...{ recipient: recipientKey(event.recipient), recipient_domain: event.recipient_domain },
        ...{ campaign: event.campaign, variant: event.variant, stream: event.stream },
        ...{ bounce_class: event.bounce_class, is_machine: event.is_machine },
      } satisfies EventMark,
    ]),
  );
}

let batches = 0;

/** Twice, as after a lost answer: what comes again must count once. */
async function write(
  address: ClickHouseAddress,
  records: readonly (readonly [topic: string, key: string, value: ClickHouseValue | EmailEvent])[],
): Promise<void> {
  const sink = createClickHouseSink(connect(address), log);
  const batch = {
    id: `reports-${++batches}`,
    records: records.map(([topic, key, value]) => ({
      ...{ topic, key, value: value as ClickHouseValue, timestamp: 0, attempts: 0 },
    })),
  };
  for (let n = 0; n < 2; n++) {
    const verdicts = await sink.write(batch, signal);
    expect(new Set(verdicts.map(({ outcome }) => outcome))).toEqual(new Set(['delivered']));
  }
  await sink.close();
}

async function makeDatabase(): Promise<{ address: ClickHouseAddress; clickhouse: ClickHouse }> {
  const { clickhouseAt, uniqueDatabase } = useStack();
  const database = uniqueDatabase('reports');
  const address = clickhouseAt(database);
  await migrate(address);
  const clickhouse = connect(address);
  onTestFinished(async () => {
    await clickhouse.command(`DROP DATABASE IF EXISTS ${database}`);
    await clickhouse.close();
  });
  return { address, clickhouse };
}
