-- mailbox providers: version 1
-- What charts sum. events_hourly and deliverability_hourly have a row for each key, for which they group by all of it; a chart groups once more, by
-- a few, and the first time was nine tenths of what it cost.
CREATE OR REPLACE VIEW {{database}}.hourly_counts {{on_cluster}}
(
  hour DateTime('UTC') COMMENT 'Hour in which the events happened',
  type LowCardinality(String) COMMENT 'Event type',
  esp LowCardinality(String) COMMENT 'Email service provider',
  source String COMMENT 'Configured webhook',
  stream String COMMENT 'List, group or message stream; empty if none',
  campaign String COMMENT 'Campaign; empty if none',
  variant String COMMENT 'A/B variant; empty if none',
  recipient_domain LowCardinality(String) COMMENT 'Domain of the recipient',
  mailbox_provider LowCardinality(String) COMMENT 'Who runs the mailbox: gmail, outlook, yahoo, apple, gmx …; other: a domain that is not a provider’s own; empty: no domain',
  bounce_class String COMMENT 'bounced: hard, soft or undetermined; else empty',
  is_machine Bool COMMENT 'opened, clicked: a machine did it; else false',
  events Int64 COMMENT 'Always sum it: rows of one key are several, and those of marked events are below zero'
)
AS SELECT hour, type, esp, source, stream, campaign, variant, recipient_domain, r.provider AS mailbox_provider, bounce_class, is_machine, r.n AS events
FROM
(
  SELECT hour, type, esp, source, stream, campaign, variant, recipient_domain, mailbox_provider AS provider, bounce_class, is_machine, toInt64(h.events) AS n
  FROM {{database}}.email_events_hourly AS h
  UNION ALL
  SELECT hour, type, esp, source, stream, campaign, variant, recipient_domain, mailbox_provider AS provider, bounce_class, is_machine, -h.marked AS n
  FROM {{database}}.email_event_marks_hourly AS h
) AS r;

-- The rollup does not know the sender. The events of some hours do, and the table is sorted by type, ESP and hour; deliverability_daily puts all messages
-- together before it knows which are of the days that are asked for.
CREATE OR REPLACE VIEW {{database}}.sender_domains_hourly {{on_cluster}}
(
  hour DateTime('UTC') COMMENT 'Hour of the events, UTC; narrow it, the table is sorted by it',
  esp LowCardinality(String) COMMENT 'Email service provider',
  source String COMMENT 'Configured webhook',
  sender_domain String COMMENT 'Domain of the sender, lower case; empty where the ESP does not say it',
  deliveries UInt64 COMMENT 'Deliveries',
  hard_bounces UInt64 COMMENT 'Hard bounces',
  soft_bounces UInt64 COMMENT 'Soft and undetermined bounces',
  blocks UInt64 COMMENT 'Of the bounces: those for what the message is or who sent it (policy, spam, content), by the word of the ESP',
  drops UInt64 COMMENT 'Messages that the ESP did not attempt to deliver',
  deferrals UInt64 COMMENT 'Deferrals; a message may have several',
  complaints UInt64 COMMENT 'Complaints, those included by which a recipient says that it is not spam'
)
AS SELECT
  toStartOfHour(e.occurred_at) AS hour,
  esp,
  source,
  extract(lower(ifNull(e.sender, '')), '@([^@>\\s]+)>?\\s*$') AS sender_domain,
  countIf(e.type = 'delivered') AS deliveries,
  countIf(e.type = 'bounced' AND e.bounce_class = 'hard') AS hard_bounces,
  countIf(e.type = 'bounced' AND ifNull(e.bounce_class, '') != 'hard') AS soft_bounces,
  countIf(e.type = 'bounced' AND e.bounce_category IN ('policy', 'spam', 'content')) AS blocks,
  countIf(e.type = 'dropped') AS drops,
  countIf(e.type = 'deferred') AS deferrals,
  countIf(e.type = 'complained') AS complaints
FROM {{database}}.email_events AS e
WHERE e.type IN ('delivered', 'bounced', 'dropped', 'deferred', 'complained')
  AND e.event_id NOT IN (SELECT event_id FROM {{database}}.event_marks_current)
GROUP BY hour, esp, source, sender_domain;
