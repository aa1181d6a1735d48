import { board, SOURCES, sourceVariable } from './board.ts';
import { series, stat, table } from './panels.ts';

// Of the rollup's rows as they are, summed once. deliverability_hourly groups them by all keys before, and deliverability_daily puts all messages together.
const WHERE = `WHERE $__timeFilter(hour) AND source IN (${SOURCES})`;
const OF_HOURS = `FROM hourly_counts AS d ${WHERE} AND type IN ('delivered', 'bounced', 'dropped', 'deferred', 'complained')`;
const PARTS = {
  deliveries: "d.type = 'delivered'",
  hard_bounces: "d.type = 'bounced' AND d.bounce_class = 'hard'",
  soft_bounces: "d.type = 'bounced' AND d.bounce_class != 'hard'",
  drops: "d.type = 'dropped'",
  deferrals: "d.type = 'deferred'",
  complaints: "d.type = 'complained'",
};
type Part = keyof typeof PARTS;
const total = (part: Part) => `sumIf(d.events, ${PARTS[part]})`;
const ENDS = "sumIf(d.events, d.type IN ('delivered', 'bounced', 'dropped'))";
const share = (part: Part, of: string) => `${total(part)} / nullIf(${of}, 0)`;
const SENDER_ENDS = '(sum(d.deliveries) + sum(d.hard_bounces) + sum(d.soft_bounces) + sum(d.drops))';
const rate = (part: Part, of = ENDS) => `SELECT ${share(part, of)} AS rate ${OF_HOURS}`;

export const deliverability = board({
  title: 'Email: deliverability',
  uid: 'email-events-deliverability',
  from: 'now-14d',
  refresh: '15m',
  variables: [sourceVariable()],
  panels: [
    stat(
      {
        title: 'Delivered',
        description: 'Of deliveries, bounces and drops. Below 95 % something is wrong.',
        sql: rate('deliveries'),
      },
      'percentunit',
    ),
    stat(
      {
        title: 'Bounced for good',
        description: 'Of deliveries, bounces and drops. Above 2 % mailbox providers think ill of the sender.',
        sql: rate('hard_bounces'),
      },
      'percentunit',
    ),
    stat(
      {
        title: 'Not attempted',
        description:
          'Dropped by the ESP, for example since the address bounced before. Of deliveries, bounces and drops.',
        sql: rate('drops'),
      },
      'percentunit',
    ),
    stat(
      {
        title: 'Complaints',
        description:
          'For each delivery. Gmail and Yahoo ask for less than 0.3 %; Gmail reports none to ESPs.',
        sql: rate('complaints', total('deliveries')),
      },
      'percentunit',
    ),
    series(
      {
        title: 'Deliveries and what came back',
        description: 'Events by the hour in which they happened.',
        sql: `SELECT $__timeInterval(hour) AS time, ${total('deliveries')} AS deliveries, ${total('hard_bounces')} AS "hard bounces",
  ${total('soft_bounces')} AS "soft bounces", ${total('drops')} AS drops
${OF_HOURS} GROUP BY time ORDER BY time`,
      },
      'short',
    ),
    series(
      {
        title: 'Delivered, by mailbox provider',
        description: 'A line that falls alone: that provider refuses or blocks.',
        sql: `SELECT $__timeInterval(hour) AS time, mailbox_provider, ${share('deliveries', ENDS)} AS delivered
${OF_HOURS} GROUP BY time, mailbox_provider ORDER BY time, mailbox_provider`,
      },
      'percentunit',
    ),
    series(
      {
        title: 'Put off',
        description: 'Deferrals. They rise before mail is blocked.',
        sql: `SELECT $__timeInterval(hour) AS time, mailbox_provider, ${total('deferrals')} AS deferrals
${OF_HOURS} GROUP BY time, mailbox_provider ORDER BY time, mailbox_provider`,
      },
      'short',
    ),
    series(
      {
        title: 'Complaints',
        description: 'Reports of spam as they come in.',
        sql: `SELECT $__timeInterval(hour) AS time, ${total('complaints')} AS complaints
${OF_HOURS} GROUP BY time ORDER BY time`,
      },
      'short',
    ),
    table(
      {
        title: 'Mailbox providers',
        description: 'Shares of deliveries, bounces and drops.',
        sql: `SELECT mailbox_provider, esp, ${ENDS} AS ends, ${share('deliveries', ENDS)} AS delivered, ${share('hard_bounces', ENDS)} AS hard,
  ${share('soft_bounces', ENDS)} AS soft, ${share('drops', ENDS)} AS dropped, ${total('deferrals')} AS deferrals
${OF_HOURS} GROUP BY mailbox_provider, esp ORDER BY ends DESC, mailbox_provider, esp LIMIT 200`,
      },
      {
        ...{ ends: 'short', delivered: 'percentunit', hard: 'percentunit', soft: 'percentunit' },
        ...{ dropped: 'percentunit', deferrals: 'short' },
      },
    ),
    table(
      {
        title: 'Why mail came back or was put off',
        description: 'By the words of the receiving servers, in one taxonomy over all ESPs.',
        width: 12,
        sql: `SELECT reason, type, sum(b.events) AS events, min(b.example) AS example
FROM bounce_reasons AS b WHERE $__dateFilter(day) AND source IN (${SOURCES})
GROUP BY reason, type ORDER BY events DESC, reason, type LIMIT 200`,
      },
      { events: 'short' },
    ),
    table(
      {
        title: 'Sending domains',
        description: 'Reputation is of the domain that sends. Shares of deliveries, bounces and drops.',
        width: 12,
        sql: `SELECT sender_domain, ${SENDER_ENDS} AS ends, sum(d.deliveries) / nullIf(${SENDER_ENDS}, 0) AS delivered,
  sum(d.blocks) / nullIf(${SENDER_ENDS}, 0) AS blocked, sum(d.complaints) AS complaints
FROM sender_domains_hourly AS d ${WHERE} GROUP BY sender_domain ORDER BY ends DESC, sender_domain LIMIT 200`,
      },
      { ends: 'short', delivered: 'percentunit', blocked: 'percentunit', complaints: 'short' },
    ),
  ],
});
