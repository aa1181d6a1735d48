import { board, CAMPAIGN, campaignVariable } from './board.ts';
import { series, stat, table } from './panels.ts';

const OF_ONE = `FROM campaign_by_provider AS c WHERE campaign = ${CAMPAIGN}`;
const rate = (part: string, of: string) =>
  `SELECT sum(c.${part}) / nullIf(sum(c.${of}), 0) AS rate ${OF_ONE}`;

export const campaigns = board({
  title: 'Email: campaigns',
  uid: 'email-events-campaigns',
  from: 'now-14d',
  refresh: '15m',
  variables: [campaignVariable()],
  panels: [
    stat(
      { title: 'Delivered', description: 'Messages.', sql: `SELECT sum(c.delivered) AS delivered ${OF_ONE}` },
      'short',
    ),
    stat(
      {
        title: 'Opened',
        description: 'Of the delivered messages, by people as far as that is known.',
        sql: rate('opened', 'delivered'),
      },
      'percentunit',
    ),
    stat(
      {
        title: 'Clicked',
        description: 'Of the delivered messages, by people as far as that is known.',
        sql: rate('clicked', 'delivered'),
      },
      'percentunit',
    ),
    stat(
      {
        title: 'Left',
        description: 'Messages after which the recipient unsubscribed, of those delivered.',
        sql: rate('unsubscribed', 'delivered'),
      },
      'percentunit',
    ),
    series(
      {
        title: 'Opens and clicks',
        description: 'By people, and by machines where the ESP tells them.',
        sql: `SELECT $__timeInterval(hour) AS time, sumIf(h.events, h.type = 'opened' AND NOT h.is_machine) AS opens,
  sumIf(h.events, h.type = 'clicked' AND NOT h.is_machine) AS clicks, sumIf(h.events, h.type IN ('opened', 'clicked') AND h.is_machine) AS "by machines"
FROM hourly_counts AS h WHERE $__timeFilter(hour) AND campaign = ${CAMPAIGN} GROUP BY time ORDER BY time`,
      },
      'short',
    ),
    series(
      {
        title: 'Going out',
        description: 'Deliveries, bounces and drops as they were reported.',
        sql: `SELECT $__timeInterval(hour) AS time, sumIf(h.events, h.type = 'delivered') AS deliveries,
  sumIf(h.events, h.type = 'bounced') AS bounces, sumIf(h.events, h.type = 'dropped') AS drops
FROM hourly_counts AS h WHERE $__timeFilter(hour) AND campaign = ${CAMPAIGN} GROUP BY time ORDER BY time`,
      },
      'short',
    ),
    table(
      {
        title: 'At each mailbox provider',
        description: 'Of this campaign.',
        width: 12,
        sql: `SELECT mailbox_provider, sum(c.attempted) AS attempted, sum(c.delivered) / nullIf(attempted, 0) AS delivered,
  sum(c.opened) / nullIf(sum(c.delivered), 0) AS opened, sum(c.clicked) / nullIf(sum(c.delivered), 0) AS clicked
${OF_ONE} GROUP BY mailbox_provider ORDER BY attempted DESC, mailbox_provider`,
      },
      // More may be opened than was reported as delivered.
      { attempted: 'short', delivered: 'percentunit', opened: 'percentunit', clicked: 'percentunit' },
    ),
    table(
      {
        title: 'Time to open and click',
        description: 'From the delivery to the first one: half of them, and nine of ten, took no longer.',
        width: 12,
        sql: `SELECT variant, source, mailbox_provider, opened, time_to_open_p50, time_to_open_p90, clicked, time_to_click_p50
FROM time_to_engage WHERE campaign = ${CAMPAIGN} ORDER BY opened DESC, variant, source, mailbox_provider LIMIT 200`,
      },
      {
        ...{ opened: 'short', time_to_open_p50: 's', time_to_open_p90: 's' },
        ...{ clicked: 'short', time_to_click_p50: 's' },
      },
    ),
    table(
      {
        title: 'Hour of the day',
        description: 'When people open and click, UTC.',
        width: 12,
        sql: `SELECT hour_of_day, sum(e.deliveries) AS deliveries, sum(e.opens) AS opens, sum(e.clicks) AS clicks
FROM engagement_by_hour AS e WHERE campaign = ${CAMPAIGN} GROUP BY hour_of_day ORDER BY hour_of_day`,
      },
      { hour_of_day: 'short', deliveries: 'short', opens: 'short', clicks: 'short' },
    ),
    table(
      {
        title: 'Why mail came back',
        description: 'Of this campaign, by the words of the receiving servers.',
        width: 12,
        sql: `SELECT reason, mailbox_provider, sum(b.events) AS bounces, min(b.example) AS example
FROM bounce_reasons AS b WHERE campaign = ${CAMPAIGN} AND type = 'bounced'
GROUP BY reason, mailbox_provider ORDER BY bounces DESC, reason, mailbox_provider LIMIT 200`,
      },
      { bounces: 'short' },
    ),
  ],
});
