import { type EmailEvent, recipientKey } from '@email-events/schemas';
import { expect, test } from 'vitest';
import { expectRows, filled, providerOf, type Row } from './view-rows.ts';

// What charts are made of, by the hour and day of the events, against what this test counts by itself.

test('figures by events: by hour, and by hour of the day', async () => {
  const { database, events } = await filled();
  const rows = events.map((event): Row & { event: EmailEvent } => ({
    event,
    hour: `${new Date(event.occurred_at).toISOString().slice(0, 13).replace('T', ' ')}:00:00`,
    ...{ esp: event.esp, source: event.source, stream: event.stream ?? '', campaign: event.campaign ?? '' },
    ...{ recipient_domain: event.recipient_domain, mailbox_provider: providerOf(event.recipient_domain) },
    weekday: ((new Date(event.occurred_at).getUTCDay() + 6) % 7) + 1,
    hour_of_day: new Date(event.occurred_at).getUTCHours(),
  }));
  const count = (group: readonly { event: EmailEvent }[], is: (event: EmailEvent) => boolean) =>
    String(group.filter(({ event }) => is(event)).length);
  const hourly = ['hour', 'esp', 'source', 'stream', 'campaign', 'recipient_domain', 'mailbox_provider'];
  const ends = ['delivered', 'bounced', 'dropped', 'deferred', 'complained'];
  await expectRows(
    database,
    'deliverability_hourly',
    hourly,
    rows.filter(({ event }) => ends.includes(event.type)),
    (group) => {
      const [deliveries, hard, soft, drops] = [
        count(group, ({ type }) => type === 'delivered'),
        count(group, ({ type, bounce_class }) => type === 'bounced' && bounce_class === 'hard'),
        count(group, ({ type, bounce_class }) => type === 'bounced' && bounce_class !== 'hard'),
        count(group, ({ type }) => type === 'dropped'),
      ];
      const all = [deliveries, hard, soft, drops].reduce((sum, n) => sum + Number(n), 0);
      return {
        ...{ deliveries, hard_bounces: hard, soft_bounces: soft, drops },
        deferrals: count(group, ({ type }) => type === 'deferred'),
        complaints: count(group, ({ type }) => type === 'complained'),
        delivered_share: all === 0 ? null : Number(deliveries) / all,
      };
    },
  );
  const engaged = ['esp', 'source', 'stream', 'campaign', 'mailbox_provider', 'weekday', 'hour_of_day'];
  await expectRows(
    database,
    'engagement_by_hour',
    engaged,
    rows.filter(({ event }) => ['delivered', 'opened', 'clicked'].includes(event.type)),
    (group) => ({
      deliveries: count(group, ({ type }) => type === 'delivered'),
      opens: count(group, ({ type, is_machine }) => type === 'opened' && is_machine !== true),
      clicks: count(group, ({ type, is_machine }) => type === 'clicked' && is_machine !== true),
      machine_opens: count(group, ({ type, is_machine }) => type === 'opened' && is_machine === true),
      machine_clicks: count(group, ({ type, is_machine }) => type === 'clicked' && is_machine === true),
    }),
  );
  const daily = rows.map((row): Row & { event: EmailEvent } => ({
    ...{ ...row, day: String(row.hour).slice(0, 10), type: row.event.type, variant: row.event.variant ?? '' },
    ...{ bounce_class: row.event.bounce_class ?? '', is_machine: row.event.is_machine ?? false },
  }));
  const of = ['type', 'esp', 'source', 'campaign', 'variant', 'mailbox_provider', 'is_machine'];
  const keys = ['day', ...of, 'stream', 'recipient_domain', 'bounce_class'];
  await expectRows(database, 'events_daily', keys, daily, (group) => ({ events: count(group, () => true) }));

  await database.clickhouse.command(
    `CREATE VIEW counted AS SELECT * EXCEPT events, sum(h.events) AS events FROM hourly_counts AS h GROUP BY ALL HAVING events != 0`,
  );
  await expectRows(database, 'counted', ['hour', ...keys.slice(1)], daily, (group) => ({
    events: count(group, () => true),
  }));
  const sent = rows.map((row): Row & { event: EmailEvent } => ({
    ...row,
    sender_domain: /@([^@>\s]+)>?\s*$/.exec((row.event.sender ?? '').toLowerCase())?.[1] ?? '',
  }));
  await expectRows(
    database,
    'sender_domains_hourly',
    ['hour', 'esp', 'source', 'sender_domain'],
    sent.filter(({ event }) => ends.includes(event.type)),
    (group) => ({
      deliveries: count(group, ({ type }) => type === 'delivered'),
      hard_bounces: count(group, ({ type, bounce_class }) => type === 'bounced' && bounce_class === 'hard'),
      soft_bounces: count(group, ({ type, bounce_class }) => type === 'bounced' && bounce_class !== 'hard'),
      blocks: count(
        group,
        ({ type, bounce_category }) =>
          type === 'bounced' && ['policy', 'spam', 'content'].includes(bounce_category ?? ''),
      ),
      drops: count(group, ({ type }) => type === 'dropped'),
      deferrals: count(group, ({ type }) => type === 'deferred'),
      complaints: count(group, ({ type }) => type === 'complained'),
    }),
  );

  const reached = daily.filter(
    ({ event }) => ['delivered', 'opened', 'clicked'].includes(event.type) && event.recipient !== '',
  );
  const different = (group: readonly { event: EmailEvent }[]) =>
    String(new Set(group.map(({ event }) => recipientKey(event.recipient))).size);
  await database.clickhouse.command(
    'CREATE VIEW hourly AS SELECT * EXCEPT recipients_state FROM recipients_hourly',
  );
  await expectRows(database, 'hourly', ['hour', ...of], reached, (group) => ({
    events: count(group, () => true),
    recipients: different(group),
  }));
  const together = await database.clickhouse.query<{ type: string; recipients: string }>(
    'SELECT type, uniqCombined64Merge(17)(recipients_state) AS recipients FROM recipients_hourly GROUP BY type ORDER BY type',
  );
  expect(together).toEqual(
    ['clicked', 'delivered', 'opened'].map((type) => ({
      type,
      recipients: different(reached.filter(({ event }) => event.type === type)),
    })),
  );
});
