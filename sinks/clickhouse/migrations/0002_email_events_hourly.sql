-- Counts by hour and every dimension that reports group by. Sum `events`: rows of the same key are merged in the background.
CREATE TABLE IF NOT EXISTS {{database}}.email_events_hourly {{on_cluster}}
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
  events UInt64 COMMENT 'Number of events'
)
ENGINE = {{engine SummingMergeTree}}(events)
PARTITION BY toYYYYMM(hour)
ORDER BY (type, esp, hour, campaign, variant, source, stream, recipient_domain, bounce_class, is_machine)
SETTINGS {{deduplication}}
COMMENT 'Events by hour, type, ESP, campaign, variant, stream and recipient domain';

CREATE MATERIALIZED VIEW IF NOT EXISTS {{database}}.email_events_hourly_mv {{on_cluster}}
TO {{database}}.email_events_hourly
AS SELECT
  -- The hour is a 32-bit time: what a wrong clock puts outside of it goes to its ends.
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
  count() AS events
FROM {{database}}.email_events
GROUP BY hour, type, esp, source, stream, campaign, variant, recipient_domain, bounce_class, is_machine;
