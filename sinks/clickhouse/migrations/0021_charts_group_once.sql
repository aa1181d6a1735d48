-- Charts read the rollup's rows as they are, marked ones with the sign of a loss, and group once: events_hourly groups by every key before, to show each
-- of its rows, which was most of what a chart over a long time cost.
{{define counted}}
(
  SELECT hour, type, esp, source, stream, campaign, recipient_domain, mailbox_provider AS provider, bounce_class, is_machine, toInt64(h.events) AS n
  FROM {{database}}.email_events_hourly AS h
  UNION ALL
  SELECT hour, type, esp, source, stream, campaign, recipient_domain, mailbox_provider AS provider, bounce_class, is_machine, -h.marked AS n
  FROM {{database}}.email_event_marks_hourly AS h
)
{{end}}
-- By the hour of the events, out of the rollup: for charts. A message that was delivered and bounced later is in both.
CREATE OR REPLACE VIEW {{database}}.deliverability_hourly {{on_cluster}}
(
  hour DateTime('UTC') COMMENT 'Hour of the events, UTC',
  esp LowCardinality(String) COMMENT 'Email service provider',
  source String COMMENT 'Configured webhook',
  stream String COMMENT 'List, group or message stream; empty if none',
  campaign String COMMENT 'Campaign; empty if none',
  recipient_domain LowCardinality(String) COMMENT 'Domain of the recipients',
  mailbox_provider LowCardinality(String) COMMENT 'Who runs the mailboxes: gmail, outlook, yahoo, apple, gmx …; other: domains that are not a provider’s own',
  deliveries Int64 COMMENT 'Deliveries',
  hard_bounces Int64 COMMENT 'Hard bounces',
  soft_bounces Int64 COMMENT 'Soft and undetermined bounces',
  drops Int64 COMMENT 'Messages that the ESP did not attempt to deliver',
  deferrals Int64 COMMENT 'Deferrals; a message may have several',
  complaints Int64 COMMENT 'Complaints, those included by which a recipient says that it is not spam',
  delivered_share Nullable(Float64) COMMENT 'deliveries / (deliveries + hard_bounces + soft_bounces + drops)'
)
AS SELECT
  hour, esp, source, stream, campaign, recipient_domain, r.provider AS mailbox_provider,
  sumIf(r.n, r.type = 'delivered') AS deliveries,
  sumIf(r.n, r.type = 'bounced' AND r.bounce_class = 'hard') AS hard_bounces,
  sumIf(r.n, r.type = 'bounced' AND r.bounce_class != 'hard') AS soft_bounces,
  sumIf(r.n, r.type = 'dropped') AS drops,
  sumIf(r.n, r.type = 'deferred') AS deferrals,
  sumIf(r.n, r.type = 'complained') AS complaints,
  deliveries / nullIf(deliveries + hard_bounces + soft_bounces + drops, 0) AS delivered_share
FROM {{counted}} AS r
WHERE r.type IN ('delivered', 'bounced', 'dropped', 'deferred', 'complained')
GROUP BY hour, esp, source, stream, campaign, recipient_domain, mailbox_provider
-- Of a key there are never fewer events than marked ones.
HAVING sum(r.n) > 0;

CREATE OR REPLACE VIEW {{database}}.engagement_by_hour {{on_cluster}}
(
  esp LowCardinality(String) COMMENT 'Email service provider',
  source String COMMENT 'Configured webhook',
  stream String COMMENT 'List, group or message stream; empty if none',
  campaign String COMMENT 'Campaign; empty if none',
  mailbox_provider LowCardinality(String) COMMENT 'Who runs the mailboxes: gmail, outlook, yahoo, apple, gmx …; other: domains that are not a provider’s own',
  weekday UInt8 COMMENT 'Day of the week, UTC: 1 is Monday, 7 is Sunday',
  hour_of_day UInt8 COMMENT 'Hour of the day, UTC, 0 to 23',
  deliveries Int64 COMMENT 'Deliveries in that hour',
  opens Int64 COMMENT 'Opens in that hour, machines excluded where the ESP tells them',
  clicks Int64 COMMENT 'Clicks in that hour, machines excluded where the ESP tells them',
  machine_opens Int64 COMMENT 'Opens by machines, by the word of the ESP',
  machine_clicks Int64 COMMENT 'Clicks by machines, by the word of the ESP'
)
AS SELECT
  esp, source, stream, campaign, r.provider AS mailbox_provider,
  toDayOfWeek(r.hour) AS weekday,
  toHour(r.hour) AS hour_of_day,
  sumIf(r.n, r.type = 'delivered') AS deliveries,
  sumIf(r.n, r.type = 'opened' AND NOT r.is_machine) AS opens,
  sumIf(r.n, r.type = 'clicked' AND NOT r.is_machine) AS clicks,
  sumIf(r.n, r.type = 'opened' AND r.is_machine) AS machine_opens,
  sumIf(r.n, r.type = 'clicked' AND r.is_machine) AS machine_clicks
FROM {{counted}} AS r
WHERE r.type IN ('delivered', 'opened', 'clicked')
GROUP BY esp, source, stream, campaign, mailbox_provider, weekday, hour_of_day
HAVING sum(r.n) > 0;
