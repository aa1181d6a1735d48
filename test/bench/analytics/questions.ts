import { DASHBOARDS, filledIn } from '../../contracts/analytics/dashboards.ts';

/** What analysts, dashboards and support ask, by the name under which it is timed. */
export interface Question {
  readonly name: string;
  /** Aim in milliseconds, warm: 300 for each panel of the dashboards, 50 for one recipient. */
  readonly aimMs?: number;
  readonly sql: string;
}

export function questionsOf(one: { readonly recipient_key: string; readonly message: string }): Question[] {
  const [recipient, message] = [one.recipient_key, one.message].map((text) => `'${text}'`);
  return [
    ...panelQuestions(),
    {
      name: 'recipient_timeline, one recipient',
      aimMs: 50,
      sql: `SELECT * FROM recipient_timeline WHERE recipient_key = ${recipient}`,
    },
    {
      name: 'recipient_messages, one recipient',
      aimMs: 50,
      sql: `SELECT * FROM recipient_messages(address = ${recipient})`,
    },
    {
      name: 'messages, one recipient',
      sql: `SELECT * FROM messages WHERE recipient_key = ${recipient}`,
    },
    {
      name: 'recipients of one message id',
      aimMs: 50,
      sql: `SELECT DISTINCT recipient_key FROM message_facts WHERE message = ${message} OR message_id = ${message}`,
    },
    { name: 'source_freshness', sql: 'SELECT * FROM source_freshness' },
    {
      name: 'deliverability_hourly, by provider',
      sql: 'SELECT mailbox_provider, sum(deliveries), sum(hard_bounces) FROM deliverability_hourly GROUP BY mailbox_provider',
    },
    {
      name: 'deliverability_hourly, 7 days by hour',
      sql: "SELECT hour, sum(deliveries), sum(hard_bounces) FROM deliverability_hourly WHERE hour >= '2026-08-20 00:00:00' AND hour < '2026-08-27 00:00:00' GROUP BY hour ORDER BY hour",
    },
    {
      name: 'engagement_by_hour, one campaign',
      sql: "SELECT weekday, hour_of_day, sum(opens), sum(clicks) FROM engagement_by_hour WHERE campaign = 'week-7' GROUP BY weekday, hour_of_day",
    },
    {
      name: 'campaign_by_provider, one campaign',
      sql: "SELECT * FROM campaign_by_provider WHERE campaign = 'week-7'",
    },
    {
      name: 'time_to_engage, one campaign',
      sql: "SELECT * FROM time_to_engage WHERE campaign = 'week-7'",
    },
    {
      name: 'campaign_performance, one campaign',
      sql: "SELECT * FROM campaign_performance WHERE campaign = 'week-7'",
    },
    {
      name: 'ab_comparison, one campaign',
      sql: "SELECT * FROM ab_comparison WHERE campaign = 'week-7'",
    },
    {
      name: 'bounce_reasons, 7 days',
      sql: "SELECT reason, sum(events) FROM bounce_reasons WHERE day >= '2026-08-20' AND day < '2026-08-27' GROUP BY reason",
    },
    { name: 'bounce_reasons, all', sql: 'SELECT reason, sum(events) FROM bounce_reasons GROUP BY reason' },
    {
      name: 'deliverability_daily, all',
      sql: 'SELECT mailbox_provider, sum(delivered), sum(attempted) FROM deliverability_daily GROUP BY mailbox_provider',
    },
    {
      name: 'campaign_by_provider, all',
      sql: 'SELECT campaign, sum(delivered) FROM campaign_by_provider GROUP BY campaign',
    },
    { name: 'deliverability_by_domain, all', sql: 'SELECT sum(attempted) FROM deliverability_by_domain' },
  ];
}

/** Every panel as it is when its dashboard is opened: the last days of the generated events, two weeks or what the panel shows, and one campaign. */
function panelQuestions(): Question[] {
  const to = Date.UTC(2026, 7, 30);
  const variables = { source: ['main'], campaign: ['week-7'] };
  const chosen = { from: to - 14 * 86_400_000, to, intervalSeconds: 3_600, variables };
  return DASHBOARDS.flatMap(({ uid, panels }) =>
    panels
      .filter(({ datasource }) => datasource.type === 'grafana-clickhouse-datasource')
      .map(({ title, targets: [target] }) => ({
        name: `panel ${uid.replace('email-events-', '')}: ${title}`,
        aimMs: 300,
        sql: filledIn(target?.rawSql ?? '', chosen),
      })),
  );
}
