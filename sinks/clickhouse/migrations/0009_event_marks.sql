-- What operators say of events: that they do not count in reports, or count again. Every mark is kept; nothing is deleted by one.
-- Of an event the changes of its marks add up to 1 while it does not count, and to 0 while it does: the same sum that the
-- table by hours holds, whatever the clocks of those who marked it said.
CREATE TABLE IF NOT EXISTS {{database}}.event_marks {{on_cluster}}
(
  event_id String COMMENT 'The event',
  mark LowCardinality(String) COMMENT 'forged: somebody who was not meant to wrote it. superseded: read as another event today. none: it counts again',
  change Int32 COMMENT 'What this mark adds to the number of events that do not count: 1, -1 or 0',
  replaced_by Nullable(String) COMMENT 'superseded: the event that the item is now',
  at DateTime64(3, 'UTC') COMMENT 'When it was marked',
  by String COMMENT 'Who marked it',
  why String COMMENT 'Why',
  type LowCardinality(String) COMMENT 'Event type',
  occurred_at DateTime64(3, 'UTC') COMMENT 'When the event happened',
  received_at DateTime64(3, 'UTC') COMMENT 'When the event was received',
  esp LowCardinality(String) COMMENT 'Email service provider',
  source String COMMENT 'Configured webhook that reported the event',
  account Nullable(String) COMMENT 'Account of the source',
  recipient String COMMENT 'Recipient key; empty if none',
  recipient_domain String COMMENT 'Domain of the recipient',
  campaign Nullable(String) COMMENT 'Campaign',
  variant Nullable(String) COMMENT 'A/B variant',
  stream Nullable(String) COMMENT 'List, group or message stream',
  bounce_class Nullable(String) COMMENT 'bounced: hard, soft or undetermined',
  is_machine Nullable(Bool) COMMENT 'opened, clicked: whether a machine did it',
  inserted_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') COMMENT 'When the row was inserted'
)
ENGINE = {{engine MergeTree}}
ORDER BY event_id
SETTINGS {{deduplication}}
COMMENT 'Marks of events by operators; those in force are in event_marks_current';

CREATE TABLE IF NOT EXISTS {{database}}.email_event_marks_hourly {{on_cluster}}
(
  hour DateTime('UTC') COMMENT 'Hour in which the events happened',
  type LowCardinality(String) COMMENT 'Event type',
  esp LowCardinality(String) COMMENT 'Email service provider',
  source String COMMENT 'Configured webhook',
  stream String COMMENT 'List, group or message stream; empty if none',
  campaign String COMMENT 'Campaign; empty if none',
  variant String COMMENT 'A/B variant; empty if none',
  recipient_domain LowCardinality(String) COMMENT 'Domain of the recipient',
  bounce_class String COMMENT 'bounced: hard, soft or undetermined; else empty',
  is_machine Bool COMMENT 'opened, clicked: a machine did it; else false',
  marked Int64 COMMENT 'Number of events that do not count'
)
ENGINE = {{engine SummingMergeTree}}(marked)
ORDER BY (type, esp, hour, campaign, variant, source, stream, recipient_domain, bounce_class, is_machine)
SETTINGS {{deduplication}}
COMMENT 'Events that do not count, by the keys of email_events_hourly; events_hourly subtracts them';

CREATE MATERIALIZED VIEW IF NOT EXISTS {{database}}.email_event_marks_hourly_mv {{on_cluster}}
TO {{database}}.email_event_marks_hourly
AS SELECT
  -- As the rollup of the events cuts it.
  toStartOfHour(toDateTime(least(greatest(occurred_at, toDateTime64('1970-01-01 00:00:00', 3, 'UTC')), toDateTime64('2105-12-31 23:00:00', 3, 'UTC')), 'UTC'), 'UTC') AS hour,
  type,
  esp,
  source,
  ifNull(stream, '') AS stream,
  ifNull(campaign, '') AS campaign,
  ifNull(variant, '') AS variant,
  recipient_domain,
  ifNull(bounce_class, '') AS bounce_class,
  ifNull(is_machine, false) AS is_machine,
  sum(change) AS marked
FROM {{database}}.event_marks
GROUP BY hour, type, esp, source, stream, campaign, variant, recipient_domain, bounce_class, is_machine;

CREATE OR REPLACE VIEW {{database}}.event_marks_current {{on_cluster}}
(
  event_id String COMMENT 'An event that does not count',
  mark String COMMENT 'forged or superseded',
  replaced_by Nullable(String) COMMENT 'superseded: the event that the item is now',
  at DateTime64(3, 'UTC') COMMENT 'When it was marked',
  by String COMMENT 'Who marked it',
  why String COMMENT 'Why',
  type String COMMENT 'Event type',
  source String COMMENT 'Configured webhook that reported it',
  received_at DateTime64(3, 'UTC') COMMENT 'When it was received',
  recipient String COMMENT 'Recipient key; empty if none'
)
AS SELECT
  event_id,
  argMax(m.mark, m.at) AS mark,
  argMax(tuple(m.replaced_by), m.at).1 AS replaced_by,
  max(m.at) AS at,
  argMax(m.by, m.at) AS by,
  argMax(m.why, m.at) AS why,
  any(m.type) AS type,
  any(m.source) AS source,
  any(m.received_at) AS received_at,
  any(m.recipient) AS recipient
FROM {{database}}.event_marks AS m
GROUP BY event_id
HAVING sum(m.change) > 0;

CREATE OR REPLACE VIEW {{database}}.events_hourly {{on_cluster}}
(
  hour DateTime('UTC') COMMENT 'Hour in which the events happened',
  type LowCardinality(String) COMMENT 'Event type',
  esp LowCardinality(String) COMMENT 'Email service provider',
  source String COMMENT 'Configured webhook',
  stream String COMMENT 'List, group or message stream; empty if none',
  campaign String COMMENT 'Campaign; empty if none',
  variant String COMMENT 'A/B variant; empty if none',
  recipient_domain LowCardinality(String) COMMENT 'Domain of the recipient',
  bounce_class String COMMENT 'bounced: hard, soft or undetermined; else empty',
  is_machine Bool COMMENT 'opened, clicked: a machine did it; else false',
  events Int64 COMMENT 'Number of events that count',
  marked Int64 COMMENT 'Number of events that an operator marked: they do not count'
)
AS SELECT hour, type, esp, source, stream, campaign, variant, recipient_domain, bounce_class, is_machine,
  sum(r.n) - sum(r.m) AS events,
  sum(r.m) AS marked
FROM
(
  SELECT hour, type, esp, source, stream, campaign, variant, recipient_domain, bounce_class, is_machine, toInt64(h.events) AS n, toInt64(0) AS m
  FROM {{database}}.email_events_hourly AS h
  UNION ALL
  SELECT hour, type, esp, source, stream, campaign, variant, recipient_domain, bounce_class, is_machine, toInt64(0) AS n, h.marked AS m
  FROM {{database}}.email_event_marks_hourly AS h
) AS r
GROUP BY hour, type, esp, source, stream, campaign, variant, recipient_domain, bounce_class, is_machine;
