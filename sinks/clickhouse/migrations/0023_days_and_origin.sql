-- mailbox providers: version 1
-- By the day, out of what there is: an insert fills no further table for it.
CREATE OR REPLACE VIEW {{database}}.events_daily {{on_cluster}}
(
  day Date COMMENT 'Day of the events, UTC',
  type LowCardinality(String) COMMENT 'Event type',
  esp LowCardinality(String) COMMENT 'Email service provider',
  source String COMMENT 'Configured webhook',
  stream String COMMENT 'List, group or message stream; empty if none',
  campaign String COMMENT 'Campaign; empty if none',
  variant String COMMENT 'A/B variant; empty if none',
  recipient_domain LowCardinality(String) COMMENT 'Domain of the recipients',
  mailbox_provider LowCardinality(String) COMMENT 'Who runs the mailboxes: gmail, outlook, yahoo, apple, gmx …; other: domains that are not a provider’s own',
  bounce_class String COMMENT 'bounced: hard, soft or undetermined; else empty',
  is_machine Bool COMMENT 'opened, clicked: a machine did it; else false',
  events Int64 COMMENT 'Number of events that count'
)
AS SELECT
  toDate(r.hour) AS day, type, esp, source, stream, campaign, variant, recipient_domain, r.provider AS mailbox_provider, bounce_class, is_machine,
  sum(r.n) AS events
FROM
(
  SELECT hour, type, esp, source, stream, campaign, variant, recipient_domain, mailbox_provider AS provider, bounce_class, is_machine, toInt64(h.events) AS n
  FROM {{database}}.email_events_hourly AS h
  UNION ALL
  SELECT hour, type, esp, source, stream, campaign, variant, recipient_domain, mailbox_provider AS provider, bounce_class, is_machine, -h.marked AS n
  FROM {{database}}.email_event_marks_hourly AS h
) AS r
GROUP BY day, type, esp, source, stream, campaign, variant, recipient_domain, mailbox_provider, bounce_class, is_machine
HAVING events > 0;

-- Recipients cannot be added up over hours: who opened in two of them is one. States can be put together.
CREATE OR REPLACE VIEW {{database}}.recipients_hourly {{on_cluster}}
(
  hour DateTime('UTC') COMMENT 'Hour of the events, UTC',
  type LowCardinality(String) COMMENT 'delivered, opened or clicked',
  esp LowCardinality(String) COMMENT 'Email service provider',
  source String COMMENT 'Configured webhook',
  campaign String COMMENT 'Campaign; empty if none',
  variant String COMMENT 'A/B variant; empty if none',
  mailbox_provider LowCardinality(String) COMMENT 'Who runs the mailboxes: gmail, outlook, yahoo, apple, gmx …; other: domains that are not a provider’s own',
  is_machine Bool COMMENT 'opened, clicked: a machine did it; else false',
  events UInt64 COMMENT 'Number of events that count; may be added up',
  recipients UInt64 COMMENT 'Different recipients of this row, exactly: not to be added up',
  recipients_state AggregateFunction(uniqCombined64(17), String) COMMENT 'The same, to be put together over rows by uniqCombined64Merge(17)(recipients_state): exact for few, of many with a standard error of 0.3 %'
)
AS SELECT
  toStartOfHour(e.occurred_at) AS hour,
  e.type AS type,
  e.esp AS esp,
  e.source AS source,
  ifNull(e.campaign, '') AS campaign,
  ifNull(e.variant, '') AS variant,
  e.mailbox_provider AS mailbox_provider,
  ifNull(e.is_machine, false) AS is_machine,
  count() AS events,
  uniqExact(e.recipient_key) AS recipients,
  uniqCombined64State(17)(e.recipient_key) AS recipients_state
FROM {{database}}.email_events AS e
WHERE e.type IN ('delivered', 'opened', 'clicked') AND e.recipient_key != '' AND e.event_id NOT IN (SELECT event_id FROM {{database}}.event_marks_current)
GROUP BY hour, type, esp, source, campaign, variant, mailbox_provider, is_machine;

-- From a row back to the bytes that it was made of, and to what else came in them.
CREATE OR REPLACE VIEW {{database}}.event_origin {{on_cluster}}
AS SELECT
  event_id,
  type,
  e.esp AS esp,
  e.source AS source,
  ifNull(e.account, '') AS account,
  e.recipient_key AS recipient_key,
  e.esp_event_type AS esp_event_type,
  ifNull(e.esp_event_id, '') AS esp_event_id,
  e.occurred_at AS occurred_at,
  e.occurred_at_source AS occurred_at_source,
  e.received_at AS received_at,
  e.inserted_at AS inserted_at,
  request_id,
  'email.raw' AS raw_topic,
  raw_partition,
  raw_offset,
  item_index,
  e.event_id = {event_id:String} AS is_asked_for,
  (SELECT arraySort(groupArray((m.at, toString(m.mark), m.by, m.why))) FROM {{database}}.event_marks AS m WHERE m.event_id = {event_id:String}) AS marks_of_it
FROM {{database}}.email_events AS e
WHERE (e.raw_partition, e.raw_offset) IN (SELECT a.raw_partition, a.raw_offset FROM {{database}}.email_events AS a WHERE a.event_id = {event_id:String})
ORDER BY item_index, event_id;
