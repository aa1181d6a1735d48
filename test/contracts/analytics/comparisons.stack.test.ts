import { type EmailEvent, recipientKey } from '@email-events/schemas';
import { expect, test } from 'vitest';
import { eventWith, randomEvents } from './events.ts';
import { figuresOf, groupedBy } from './expected-figures.ts';
import { expectedMessages, type MessageRow } from './expected-messages.ts';
import { type Database, makeDatabase, markEvents, writeEvents } from './world.ts';

// Campaigns by recipients, ESP against ESP, cohorts: against what this test computes of the same events by itself.

interface Row {
  readonly [column: string]: unknown;
}

/** Events that come late and twice, of two ESPs, some of them marked as forged, and those that count. */
async function filled(seed: number): Promise<{ database: Database; events: EmailEvent[] }> {
  const database = await makeDatabase();
  const all = randomEvents(seed, 3_000).map((event, n): EmailEvent => {
    return { ...event, esp: event.source === 'main' && n % 2 === 0 ? 'ses' : 'postmark' };
  });
  for (let from = 0; from < all.length; from += 500)
    await writeEvents(database, all.slice(from, from + 500).reverse(), { times: 2 });
  const forged = all.filter((_, n) => n % 23 === 0);
  await markEvents(database, forged, 'forged', 1);
  return { database, events: all.filter((event) => !forged.includes(event)) };
}

test('campaigns by recipients: each counted once, whatever messages it got', async () => {
  const { database, events } = await filled(31);
  const rows = await database.clickhouse.query<Row>('SELECT * FROM campaign_performance');
  const messages = expectedMessages(events, 'campaign').filter(({ campaign }) => campaign !== '');
  const groups = groupedBy(messages, 'source', 'campaign', 'variant');
  expect(groups.size).toBeGreaterThan(8);
  expect(rows).toHaveLength(groups.size);
  // A report that a message is not spam has always been a complaint here.
  const complained = byCampaign(events, ({ type }) => type === 'complained');
  const soft = byCampaign(events, ({ type, bounce_class }) => type === 'bounced' && bounce_class !== 'hard');
  for (const row of rows) {
    const key = JSON.stringify([row.source, row.campaign, row.variant]);
    const { delivery_rate, open_rate, click_rate, click_to_open_rate, ...counts } = row;
    const expected = {
      ...campaignOf(groups.get(key) ?? []),
      ...{ complained: people(complained.get(key) ?? []), bounced_soft: people(soft.get(key) ?? []) },
    };
    expect(counts).toMatchObject(expected);
    const share = (part: string, of: string) => Number(row[part]) / (Number(row[of]) || Number.NaN) || null;
    expect([delivery_rate || null, open_rate || null]).toEqual([
      share('delivered', 'sent'),
      share('opened', 'delivered'),
    ]);
    expect([click_rate || null, click_to_open_rate || null]).toEqual([
      share('clicked', 'delivered'),
      share('clicked', 'opened'),
    ]);
  }
});

const people = (rows: readonly Row[]) => String(new Set(rows.map(({ recipient_key }) => recipient_key)).size);

const byCampaign = (events: readonly EmailEvent[], is: (event: EmailEvent) => boolean) =>
  groupedBy(
    events
      .filter((event) => event.recipient !== '' && is(event))
      .map(({ source, campaign, variant, recipient }) => ({
        ...{
          source,
          campaign: campaign ?? '',
          variant: variant ?? '',
          recipient_key: recipientKey(recipient),
        },
      })),
    ...['source', 'campaign', 'variant'],
  );

function campaignOf(messages: readonly MessageRow[]): Row {
  const having = (is: (row: MessageRow) => boolean) => people(messages.filter(is));
  const total = (column: string) => String(messages.reduce((sum, row) => sum + Number(row[column]), 0));
  const times = (column: string) => messages.map((row) => String(row[column])).sort();
  const ends = ['queued_at', 'delivered_at', 'deferred_at', 'dropped_at', 'bounced_at'];
  return {
    sent: having((row) => ends.some((column) => row[column] !== null)),
    delivered: having(({ outcome }) => outcome === 'delivered'),
    bounced_hard: having(({ hard_bounced_at }) => hard_bounced_at !== null),
    dropped: having(({ dropped_at }) => dropped_at !== null),
    opened: having(({ opens }) => Number(opens) > 0),
    clicked: having(({ clicks }) => Number(clicks) > 0),
    unsubscribed: having(({ unsubscribed_at }) => unsubscribed_at !== null),
    ...{ opens: total('opens'), clicks: total('clicks') },
    ...{ machine_opens: total('machine_opens'), machine_clicks: total('machine_clicks') },
    ...{ first_at: times('first_at')[0], last_at: times('last_at').at(-1) },
  };
}

test('ESP against ESP at the same mailbox provider, month by month', async () => {
  const { database, events } = await filled(32);
  const rows = await database.clickhouse.query<Row>('SELECT * FROM esp_by_provider');
  const messages = expectedMessages(events).map(
    (row): MessageRow => ({ ...row, month: `${String(row.first_at).slice(0, 7)}-01` }),
  );
  const groups = groupedBy(messages, 'month', 'mailbox_provider', 'esp');
  expect(new Set(rows.map(({ esp }) => esp))).toEqual(new Set(['ses', 'postmark']));
  expect(rows).toHaveLength(groups.size);
  for (const row of rows) {
    const { month, mailbox_provider, esp, delivery_rate_of_others, block_rate_of_others, ...rest } = row;
    const { complaint_rate_of_others, ...shown } = rest;
    const own = figuresOf(groups.get(JSON.stringify([month, mailbox_provider, esp])) ?? []);
    const others = figuresOf(
      messages.filter(
        (each) => each.month === month && each.mailbox_provider === mailbox_provider && each.esp !== esp,
      ),
    );
    const wanted = Object.keys(shown).map((name) => [
      name,
      name.endsWith('_rate') ? own[name] : String(own[name]),
    ]);
    expect(shown).toEqual(Object.fromEntries(wanted));
    expect([delivery_rate_of_others, block_rate_of_others, complaint_rate_of_others]).toEqual([
      ...[others.delivery_rate, others.block_rate, others.complaint_rate],
    ]);
  }
});

test('recipients are in the cohort of their last open or click; who was never written to is in none', async () => {
  const database = await makeDatabase();
  const now = Date.now();
  const say = (type: EmailEvent['type'], who: string, days: number, fields: object = {}) =>
    eventWith(type, {
      ...{ event_id: `${type}${who}${days}`, esp: 'ses', source: 'main', recipient: `${who}@gmail.com` },
      ...{ esp_message_id: `m${who}`, occurred_at: now - days * 86_400_000 - 3_600_000, ...fields },
    });
  const delivered = (who: string, days = 20) => say('delivered', who, days);
  await writeEvents(database, [
    ...[delivered('fresh'), say('opened', 'fresh', 400), say('clicked', 'fresh', 30, { is_machine: null })],
    ...[delivered('month', 40), say('opened', 'month', 31, { is_machine: false })],
    ...[delivered('quarter'), say('clicked', 'quarter', 91), say('unsubscribed', 'quarter', 1)],
    ...[delivered('half'), say('opened', 'half', 181), say('complained', 'half', 2)],
    ...[delivered('year'), say('opened', 'year', 366)],
    ...[delivered('machine'), say('opened', 'machine', 1, { is_machine: true })],
    ...[say('bounced', 'gone', 1, { bounce_class: 'hard' }), say('opened', 'stranger', 1)],
    ...[delivered('bounced'), say('bounced', 'bounced', 1, { bounce_class: 'hard' })],
  ]);
  const rows = await database.clickhouse.query<Row>('SELECT * FROM engagement_cohorts ORDER BY cohort');
  const zero = { delivered_30_days: '1', bounced_hard: '0', complained: '0', unsubscribed: '0' };
  const cohort = (name: string, fields: object = {}) => ({
    ...{ cohort: name, mailbox_provider: 'gmail', recipients: '1', ...zero, ...fields },
  });
  expect(rows).toEqual([
    cohort('0-30'),
    cohort('181-365', { complained: '1' }),
    cohort('31-90', { delivered_30_days: '0' }),
    cohort('91-180', { unsubscribed: '1' }),
    cohort('never', { recipients: '2', delivered_30_days: '2', bounced_hard: '1' }),
    cohort('over 365'),
  ]);
});
