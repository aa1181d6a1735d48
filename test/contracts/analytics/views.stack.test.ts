import { type EmailEvent, recipientKey } from '@email-events/schemas';
import { METRICS } from '@email-events/sink-clickhouse';
import { expect, test } from 'vitest';
import { eventWith, fixtureEvents } from './events.ts';
import { figuresOf } from './expected-figures.ts';
import { expectedMessages, type MessageRow } from './expected-messages.ts';
import { expectRows, filled, type Row } from './view-rows.ts';
import { type Database, makeDatabase, writeEvents } from './world.ts';

// Every figure of the views against what this test computes of the same events by itself.

test('figures by messages: campaigns, deliverability, time to react', async () => {
  const { database, events } = await filled();
  const daily = expectedMessages(events).map(
    (row): MessageRow => ({ ...row, day: String(row.first_at).slice(0, 10) }),
  );
  const campaigns = expectedMessages(events, 'campaign');
  const byCampaign = ['campaign', 'variant', 'source', 'esp', 'mailbox_provider'];
  await expectFigures(database, 'campaign_by_provider', campaigns, byCampaign);
  await expectFigures(database, 'time_to_engage', campaigns, byCampaign);
  await expectFigures(database, 'deliverability_daily', daily, [
    ...['day', 'esp', 'source', 'sender_domain', 'recipient_domain', 'mailbox_provider'],
  ]);
});

test('every metric is a column of some view, with its definition as the comment', async () => {
  const database = await makeDatabase();
  const columns = await database.clickhouse.query<{ name: string; comment: string }>(
    "SELECT DISTINCT name, comment FROM system.columns WHERE database = currentDatabase() AND table IN ('campaign_by_provider', 'deliverability_daily', 'time_to_engage')",
  );
  for (const [name, { meaning }] of Object.entries(METRICS)) {
    const comments = columns.filter((column) => column.name === name).map(({ comment }) => comment);
    expect(comments, name).toHaveLength(1);
    expect(comments[0]).toContain(meaning);
  }
});

test('bounces have a reason of ours beside the word of the ESP, and where the two disagree is shown', async () => {
  const database = await makeDatabase();
  const bounce = (id: string, fields: object) =>
    eventWith('bounced', {
      event_id: id,
      esp: 'ses',
      source: 'main',
      recipient: `${id}@gmail.com`,
      occurred_at: 1_790_000_000_000,
      ...fields,
    });
  await writeEvents(database, [
    bounce('a', {
      bounce_class: 'hard',
      bounce_category: 'invalid_mailbox',
      enhanced_status: '5.1.1',
      diagnostic: 'User unknown',
    }),
    bounce('b', {
      bounce_class: 'hard',
      bounce_category: 'invalid_mailbox',
      enhanced_status: '5.2.2',
      diagnostic: 'Mailbox full',
    }),
    bounce('c', {
      bounce_class: 'soft',
      bounce_category: 'other',
      diagnostic: 'It’s blocked: \\listed at zen.spamhaus.org',
    }),
    bounce('d', {
      bounce_class: 'soft',
      bounce_category: 'policy',
      enhanced_status: '4.1.1',
      diagnostic: 'try again',
    }),
    eventWith('deferred', {
      event_id: 'e',
      esp: 'ses',
      source: 'main',
      recipient: 'e@web.de',
      occurred_at: 1_790_000_000_000,
      enhanced_status: '4.7.0',
      diagnostic: 'Greylisted',
    }),
  ]);
  const rows = await database.clickhouse.query(
    'SELECT reason, reason_class, esp_class, esp_category, class_differs, category_differs, mailbox_provider, events FROM bounce_reasons ORDER BY reason, esp_class',
  );
  const [gmail, one] = [{ mailbox_provider: 'gmail' }, { events: '1' }];
  expect(rows).toEqual([
    {
      reason: 'greylisted',
      reason_class: 'soft',
      esp_class: '',
      esp_category: '',
      class_differs: false,
      category_differs: false,
      mailbox_provider: 'web_de',
      ...one,
    },
    {
      reason: 'invalid_mailbox',
      reason_class: 'hard',
      esp_class: 'hard',
      esp_category: 'invalid_mailbox',
      class_differs: false,
      category_differs: false,
      ...gmail,
      ...one,
    },
    {
      reason: 'invalid_mailbox',
      reason_class: 'soft',
      esp_class: 'soft',
      esp_category: 'policy',
      class_differs: false,
      category_differs: true,
      ...gmail,
      ...one,
    },
    {
      reason: 'mailbox_full',
      reason_class: 'soft',
      esp_class: 'hard',
      esp_category: 'invalid_mailbox',
      class_differs: true,
      category_differs: true,
      ...gmail,
      ...one,
    },
    {
      reason: 'reputation',
      reason_class: 'soft',
      esp_class: 'soft',
      esp_category: 'other',
      class_differs: false,
      category_differs: false,
      ...gmail,
      ...one,
    },
  ]);
});

test('every bounce of every fixture is counted once, whatever its reason', async () => {
  const database = await makeDatabase();
  const events = fixtureEvents();
  await writeEvents(database, events);
  const wanted = events.filter(({ type }) => type === 'bounced' || type === 'deferred').length;
  const [found] = await database.clickhouse.query<{ n: string }>(
    'SELECT sum(events) AS n FROM bounce_reasons',
  );
  expect(Number(found?.n)).toBe(wanted);
});

test('a source is as fresh as its latest event; of one that was silent for days, the hour is told', async () => {
  const database = await makeDatabase();
  const now = Date.now();
  const event = (source: string, type: EmailEvent['type'], ago: number) => {
    const at = now - ago;
    const fields = { event_id: `${source}${ago}`, esp: 'ses', source, recipient: 'a@web.de' };
    return eventWith(type, { ...fields, occurred_at: at, received_at: at + 900 });
  };
  const hour = 3_600_000;
  const events = [
    event('main', 'opened', 5_000),
    event('main', 'delivered', hour),
    event('old', 'clicked', 80 * hour),
  ];
  await writeEvents(database, events, { times: 2 });
  const rows = await database.clickhouse.query<Row>('SELECT * FROM source_freshness ORDER BY source');
  const text = (at: number) => new Date(at).toISOString().replace('T', ' ').replace('Z', '');
  expect(rows).toMatchObject([
    {
      source: 'main',
      last_occurred_at: text(now - 5_000),
      last_received_at: text(now - 4_100),
      last_type: 'opened',
    },
    {
      ...{ source: 'old', last_occurred_at: text(Math.floor((now - 80 * hour) / hour) * hour) },
      ...{ last_received_at: null, to_insert_seconds: null, last_type: '' },
    },
  ]);
  expect(Number(rows[0]?.silent_seconds)).toBeGreaterThanOrEqual(5);
  expect(Number(rows[0]?.to_insert_seconds)).toBeGreaterThanOrEqual(4.1);
});

test('soft bounces in a row since the last delivery are at risk', async () => {
  const database = await makeDatabase();
  const at = Date.now() - 10 * 86_400_000;
  const event = (type: EmailEvent['type'], n: number, days: number, fields: object = {}) =>
    eventWith(type, {
      event_id: `${type}${n}`,
      esp: 'ses',
      source: 'main',
      occurred_at: at + days * 86_400_000,
      ...fields,
    });
  const soft = (recipient: string, n: number, days: number) =>
    event('bounced', n, days, { recipient, bounce_class: 'soft', diagnostic: `words ${n}` });
  await writeEvents(database, [
    ...[soft('Near@gmail.com', 1, 1), soft('near@gmail.com', 2, 2), soft('near@gmail.com', 3, 3)],
    ...[soft('well@gmail.com', 4, 1), event('delivered', 5, 2, { recipient: 'well@gmail.com' })],
    ...[
      soft('again@web.de', 6, 1),
      event('delivered', 7, 2, { recipient: 'again@web.de' }),
      soft('again@web.de', 8, 3),
    ],
    soft('long-ago@gmail.com', 9, -40),
    event('bounced', 10, 1, { recipient: 'hard@gmail.com', bounce_class: 'hard' }),
  ]);
  const rows = await database.clickhouse.query(
    'SELECT recipient_key, mailbox_provider, in_a_row, last_diagnostic FROM soft_bounces_at_risk ORDER BY in_a_row DESC',
  );
  expect(rows).toEqual([
    { recipient_key: 'near@gmail.com', mailbox_provider: 'gmail', in_a_row: '3', last_diagnostic: 'words 3' },
    { recipient_key: 'again@web.de', mailbox_provider: 'web_de', in_a_row: '1', last_diagnostic: 'words 8' },
  ]);
});

test('a recipient’s story is found by any spelling of the address', async () => {
  const database = await makeDatabase();
  const spellings: readonly [recipient: string, ...others: string[]][] = [
    ['Ann@Example.COM', ' ann@example.com\n', 'ANN@EXAMPLE.COM'],
    ['jürgen@münchen.example', 'JÜRGEN@xn--mnchen-3ya.example'],
    ['a.b+news@example.com', 'A.B+News@example.com'],
    ['Postmaster', 'postmaster'],
  ];
  await writeEvents(
    database,
    spellings.map(([recipient], n) =>
      eventWith('delivered', { event_id: `${n}`, recipient, esp: 'ses', source: 'main', occurred_at: 1 }),
    ),
  );
  for (const own of spellings)
    for (const address of own.slice(own[0].includes('ü') ? 1 : 0)) {
      const rows = await database.clickhouse.query<Row>(
        'SELECT recipient_key FROM recipient_story(address = {address:String})',
        { address },
      );
      expect(rows, address).toEqual([{ recipient_key: recipientKey(own[0]) }]);
    }
});

/** All metrics that the view has, for each group of messages. */
async function expectFigures(
  database: Database,
  view: string,
  messages: readonly MessageRow[],
  keys: readonly string[],
): Promise<void> {
  await expectRows(database, view, keys, messages, (group, columns) => {
    const figures = figuresOf(group);
    const own = Object.keys(METRICS).filter((name) => columns.includes(name));
    const shown = own.map((name) => [
      name,
      METRICS[name]?.kind === 'count' ? String(figures[name]) : figures[name],
    ]);
    return {
      ...Object.fromEntries(shown),
      ...(columns.includes('first_at')
        ? { first_at: least(group, 'first_at'), last_at: most(group, 'last_at') }
        : {}),
    };
  });
}

const least = (rows: readonly MessageRow[], column: string) =>
  rows.map((row) => String(row[column])).sort()[0];
const most = (rows: readonly MessageRow[], column: string) =>
  rows
    .map((row) => String(row[column]))
    .sort()
    .at(-1);
