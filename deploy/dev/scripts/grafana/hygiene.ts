import { board, SOURCES, sourceVariable } from './board.ts';
import { series, stat, table } from './panels.ts';

export const hygiene = board({
  title: 'Email: list hygiene',
  uid: 'email-events-hygiene',
  from: 'now-90d',
  refresh: '15m',
  variables: [sourceVariable()],
  panels: [
    stat(
      {
        title: 'Not to be written to',
        description: 'Recipients who are suppressed for all mail now, of all webhooks.',
        sql: 'SELECT count() AS recipients FROM suppressions_current WHERE suppressed',
        width: 8,
      },
      'short',
    ),
    stat(
      {
        title: 'About to be suppressed',
        description: 'Recipients with soft bounces since their last delivery, in 30 days.',
        sql: 'SELECT count() AS recipients FROM soft_bounces_at_risk',
        width: 8,
      },
      'short',
    ),
    stat(
      {
        title: 'Oldest silence',
        description: 'How long ago the quietest webhook was heard of last.',
        sql: `SELECT max(silent_seconds) AS silence FROM source_freshness WHERE source IN (${SOURCES})`,
        width: 8,
      },
      's',
    ),
    series(
      {
        title: 'New reasons by day',
        description:
          'Of those in force now, since when they hold. A jump of one reason: look at what was sent that day.',
        sql: `SELECT toDateTime(day, 'UTC') AS time, reason, sum(h.recipients) AS recipients
FROM list_hygiene AS h WHERE $__dateFilter(day) GROUP BY time, reason ORDER BY time, reason`,
        width: 24,
      },
      'short',
    ),
    table(
      {
        title: 'Reasons in force',
        description: 'A recipient may have several.',
        width: 12,
        sql: `SELECT reason, scope, mailbox_provider, sum(h.recipients) AS recipients, toString(max(h.day)) AS newest
FROM list_hygiene AS h GROUP BY reason, scope, mailbox_provider ORDER BY recipients DESC, reason, scope, mailbox_provider LIMIT 500`,
      },
      { recipients: 'short' },
    ),
    table(
      {
        title: 'Soft bounces in a row',
        description: 'Five in a row within 30 days suppress, unless it is configured otherwise.',
        width: 12,
        sql: `SELECT recipient_key, in_a_row, toString(last_at) AS last_at, last_diagnostic
FROM soft_bounces_at_risk ORDER BY in_a_row DESC, recipient_key LIMIT 500`,
      },
      { in_a_row: 'short' },
    ),
    table(
      {
        title: 'Which campaigns drive people away',
        description: 'Complaints and unsubscribes for each delivery, as they were reported in this time.',
        width: 12,
        sql: `SELECT campaign, sumIf(h.events, h.type = 'delivered') AS delivered, sumIf(h.events, h.type = 'complained') / nullIf(delivered, 0) AS complained,
  sumIf(h.events, h.type = 'unsubscribed') / nullIf(delivered, 0) AS unsubscribed
FROM hourly_counts AS h WHERE $__timeFilter(hour) AND source IN (${SOURCES}) AND campaign != ''
GROUP BY campaign HAVING delivered > 0 ORDER BY unsubscribed DESC, campaign LIMIT 200`,
      },
      { delivered: 'short', complained: 'percentunit', unsubscribed: 'percentunit' },
    ),
    table(
      {
        title: 'Webhooks',
        description: 'When each was heard of last, and what the pipeline took for its latest event.',
        width: 12,
        sql: `SELECT esp, source, silent_seconds, to_insert_seconds, last_type FROM source_freshness
WHERE source IN (${SOURCES}) ORDER BY silent_seconds DESC, esp, source`,
      },
      { silent_seconds: 's', to_insert_seconds: 's' },
    ),
  ],
});
