import { board, SOURCES, sourceVariable } from './board.ts';
import { series, stat, table } from './panels.ts';

const OF_DAYS = `FROM deliverability_daily AS d WHERE $__dateFilter(day) AND source IN (${SOURCES})`;
const OF_HOURS = `FROM deliverability_hourly AS d WHERE $__timeFilter(hour) AND source IN (${SOURCES})`;
const rate = (part: string, of: string) =>
  `SELECT sum(d.${part}) / nullIf(sum(d.${of}), 0) AS rate ${OF_DAYS}`;

export const deliverability = board({
  title: 'Email: deliverability',
  uid: 'email-events-deliverability',
  from: 'now-14d',
  variables: [sourceVariable()],
  panels: [
    stat(
      {
        title: 'Delivered',
        description: 'Of the messages that have ended. Below 95 % something is wrong.',
        sql: rate('delivered', 'attempted'),
      },
      'percentunit',
    ),
    stat(
      {
        title: 'Bounced for good',
        description: 'Of the messages that have ended. Above 2 % mailbox providers think ill of the sender.',
        sql: rate('hard_bounced', 'attempted'),
      },
      'percentunit',
    ),
    stat(
      {
        title: 'Blocked',
        description: 'Refused for what they are or who sent them: policy, spam, content.',
        sql: rate('blocked', 'attempted'),
      },
      'percentunit',
    ),
    stat(
      {
        title: 'Complaints',
        description:
          'Of the delivered messages. Gmail and Yahoo ask for less than 0.3 %; Gmail reports none to ESPs.',
        sql: rate('complained', 'delivered'),
      },
      'percentunit',
    ),
    series(
      {
        title: 'Deliveries and what came back',
        description: 'Events by the hour in which they happened.',
        sql: `SELECT $__timeInterval(hour) AS time, sum(d.deliveries) AS deliveries, sum(d.hard_bounces) AS "hard bounces",
  sum(d.soft_bounces) AS "soft bounces", sum(d.drops) AS drops
${OF_HOURS} GROUP BY time ORDER BY time`,
      },
      'short',
    ),
    series(
      {
        title: 'Delivered, by mailbox provider',
        description: 'A line that falls alone: that provider refuses or blocks.',
        sql: `SELECT $__timeInterval(hour) AS time, mailbox_provider,
  sum(d.deliveries) / nullIf(sum(d.deliveries) + sum(d.hard_bounces) + sum(d.soft_bounces) + sum(d.drops), 0) AS delivered
${OF_HOURS} GROUP BY time, mailbox_provider ORDER BY time, mailbox_provider`,
      },
      'percentunit',
    ),
    series(
      {
        title: 'Put off',
        description: 'Deferrals. They rise before mail is blocked.',
        sql: `SELECT $__timeInterval(hour) AS time, mailbox_provider, sum(d.deferrals) AS deferrals
${OF_HOURS} GROUP BY time, mailbox_provider ORDER BY time, mailbox_provider`,
      },
      'short',
    ),
    series(
      {
        title: 'Complaints',
        description: 'Reports of spam as they come in.',
        sql: `SELECT $__timeInterval(hour) AS time, sum(d.complaints) AS complaints
${OF_HOURS} GROUP BY time ORDER BY time`,
      },
      'short',
    ),
    table(
      {
        title: 'Mailbox providers',
        description: 'Messages, each by how it ended.',
        sql: `SELECT mailbox_provider, esp, sum(d.attempted) AS attempted, sum(d.delivered) / nullIf(attempted, 0) AS delivered,
  sum(d.hard_bounced) / nullIf(attempted, 0) AS hard_bounced, sum(d.soft_bounced) / nullIf(attempted, 0) AS soft_bounced,
  sum(d.blocked) / nullIf(attempted, 0) AS blocked
${OF_DAYS} GROUP BY mailbox_provider, esp ORDER BY attempted DESC, mailbox_provider, esp LIMIT 200`,
      },
      {
        ...{ attempted: 'short', delivered: 'percentunit', hard_bounced: 'percentunit' },
        ...{ soft_bounced: 'percentunit', blocked: 'percentunit' },
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
        description: 'Reputation is of the domain that sends.',
        width: 12,
        sql: `SELECT sender_domain, sum(d.attempted) AS attempted, sum(d.delivered) / nullIf(attempted, 0) AS delivered,
  sum(d.blocked) / nullIf(attempted, 0) AS blocked, sum(d.complained) AS complaints
${OF_DAYS} GROUP BY sender_domain ORDER BY attempted DESC, sender_domain LIMIT 200`,
      },
      { attempted: 'short', delivered: 'percentunit', blocked: 'percentunit', complaints: 'short' },
    ),
  ],
});
