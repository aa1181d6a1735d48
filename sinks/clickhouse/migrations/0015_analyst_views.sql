-- metrics: version 1
-- bounce rules: version 1
-- mailbox providers: version 1
-- Views for what analysts ask, each column with its comment. What figures mean is defined in src/model/metrics.ts, once for all of them.
CREATE OR REPLACE VIEW {{database}}.campaign_by_provider {{on_cluster}}
(
  campaign String COMMENT 'Campaign; empty: events that name none',
  variant String COMMENT 'A/B variant; empty if none',
  source String COMMENT 'Configured webhook that reported it',
  esp String COMMENT 'Email service provider',
  mailbox_provider String COMMENT 'Who runs the mailboxes: gmail, outlook, yahoo, apple, gmx …; other: domains that are not a provider’s own',
{{metric_columns sent attempted delivered hard_bounced soft_bounced dropped blocked deferred opened clicked opens clicks unjudged_opens unjudged_clicks machine_opens machine_clicks complained unsubscribed delivery_rate hard_bounce_rate block_rate open_rate click_rate click_to_open_rate complaint_rate unsubscribe_rate}},
  first_at DateTime64(3, 'UTC') COMMENT 'First event',
  last_at DateTime64(3, 'UTC') COMMENT 'Last event'
)
AS SELECT
  campaign,
  variant,
  source,
  m.esp AS esp,
  m.mailbox_provider AS mailbox_provider,
{{metric_values sent attempted delivered hard_bounced soft_bounced dropped blocked deferred opened clicked opens clicks unjudged_opens unjudged_clicks machine_opens machine_clicks complained unsubscribed delivery_rate hard_bounce_rate block_rate open_rate click_rate click_to_open_rate complaint_rate unsubscribe_rate}},
  min(m.first_at) AS first_at,
  max(m.last_at) AS last_at
FROM {{database}}.campaign_messages AS m
GROUP BY campaign, variant, source, esp, mailbox_provider;

-- By the message and its first day: exact, and slower than by events.
CREATE OR REPLACE VIEW {{database}}.deliverability_daily {{on_cluster}}
(
  day Date COMMENT 'Day of the first event of the messages, UTC',
  esp String COMMENT 'Email service provider',
  source String COMMENT 'Configured webhook that reported it',
  sender_domain String COMMENT 'Domain of the sender; empty where the ESP does not say it',
  recipient_domain String COMMENT 'Domain of the recipients',
  mailbox_provider String COMMENT 'Who runs the mailboxes: gmail, outlook, yahoo, apple, gmx …; other: domains that are not a provider’s own',
{{metric_columns sent attempted delivered hard_bounced soft_bounced dropped blocked deferred complained delivery_rate hard_bounce_rate soft_bounce_rate drop_rate block_rate deferral_rate complaint_rate}}
)
AS SELECT
  toDate(m.first_at) AS day,
  m.esp AS esp,
  source,
  m.sender_domain AS sender_domain,
  m.recipient_domain AS recipient_domain,
  m.mailbox_provider AS mailbox_provider,
{{metric_values sent attempted delivered hard_bounced soft_bounced dropped blocked deferred complained delivery_rate hard_bounce_rate soft_bounce_rate drop_rate block_rate deferral_rate complaint_rate}}
FROM {{database}}.messages AS m
GROUP BY day, esp, source, sender_domain, recipient_domain, mailbox_provider;

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
  hour, esp, source, stream, campaign, recipient_domain, mailbox_provider,
  sumIf(h.events, h.type = 'delivered') AS deliveries,
  sumIf(h.events, h.type = 'bounced' AND h.bounce_class = 'hard') AS hard_bounces,
  sumIf(h.events, h.type = 'bounced' AND h.bounce_class != 'hard') AS soft_bounces,
  sumIf(h.events, h.type = 'dropped') AS drops,
  sumIf(h.events, h.type = 'deferred') AS deferrals,
  sumIf(h.events, h.type = 'complained') AS complaints,
  deliveries / nullIf(deliveries + hard_bounces + soft_bounces + drops, 0) AS delivered_share
FROM {{database}}.events_hourly AS h
WHERE h.events > 0 AND h.type IN ('delivered', 'bounced', 'dropped', 'deferred', 'complained')
GROUP BY hour, esp, source, stream, campaign, recipient_domain, mailbox_provider;

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
  esp, source, stream, campaign, mailbox_provider,
  toDayOfWeek(h.hour) AS weekday,
  toHour(h.hour) AS hour_of_day,
  sumIf(h.events, h.type = 'delivered') AS deliveries,
  sumIf(h.events, h.type = 'opened' AND NOT h.is_machine) AS opens,
  sumIf(h.events, h.type = 'clicked' AND NOT h.is_machine) AS clicks,
  sumIf(h.events, h.type = 'opened' AND h.is_machine) AS machine_opens,
  sumIf(h.events, h.type = 'clicked' AND h.is_machine) AS machine_clicks
FROM {{database}}.events_hourly AS h
WHERE h.events > 0 AND h.type IN ('delivered', 'opened', 'clicked')
GROUP BY esp, source, stream, campaign, mailbox_provider, weekday, hour_of_day;

CREATE OR REPLACE VIEW {{database}}.time_to_engage {{on_cluster}}
(
  campaign String COMMENT 'Campaign; empty: events that name none',
  variant String COMMENT 'A/B variant; empty if none',
  source String COMMENT 'Configured webhook that reported it',
  esp String COMMENT 'Email service provider',
  mailbox_provider String COMMENT 'Who runs the mailboxes: gmail, outlook, yahoo, apple, gmx …; other: domains that are not a provider’s own',
{{metric_columns delivered opened clicked time_to_open_p50 time_to_open_p90 time_to_open_p99 time_to_click_p50 time_to_click_p90 time_to_click_p99}}
)
AS SELECT
  campaign,
  variant,
  source,
  m.esp AS esp,
  m.mailbox_provider AS mailbox_provider,
{{metric_values delivered opened clicked time_to_open_p50 time_to_open_p90 time_to_open_p99 time_to_click_p50 time_to_click_p90 time_to_click_p99}}
FROM {{database}}.campaign_messages AS m
GROUP BY campaign, variant, source, esp, mailbox_provider;

-- The reason by our rules (src/model/bounce-reasons.ts), beside what the ESP says.
CREATE OR REPLACE VIEW {{database}}.bounce_reasons {{on_cluster}}
(
  day Date COMMENT 'Day of the bounces, UTC',
  type String COMMENT 'bounced, or deferred: put off and tried again',
  esp String COMMENT 'Email service provider',
  source String COMMENT 'Configured webhook that reported it',
  campaign String COMMENT 'Campaign; empty if none',
  mailbox_provider String COMMENT 'Who runs the mailboxes: gmail, outlook, yahoo, apple, gmx …; other: domains that are not a provider’s own',
  reason String COMMENT 'By the enhanced status and the words of the receiving server: invalid_mailbox, inactive_mailbox, domain_not_found, mailbox_full, too_large, authentication, reputation, rate_limited, greylisted, spam, content, relay, timeout, policy or other',
  reason_class String COMMENT 'By the reason: hard (the address is bad for good) or soft',
  esp_category String COMMENT 'Cause by the word of the ESP; empty if it says none',
  esp_class String COMMENT 'bounced: hard, soft or undetermined, by the word of the ESP; it decides about suppression',
  class_differs Bool COMMENT 'bounced: one of the two classes is hard and the other soft',
  category_differs Bool COMMENT 'The cause of the ESP contradicts the reason; false if either says nothing',
  events UInt64 COMMENT 'Bounces or deferrals',
  recipients UInt64 COMMENT 'Different recipients of this row, exactly: not to be added up',
  example String COMMENT 'One of the texts, cut to 200 characters'
)
AS SELECT
  toDate(e.occurred_at) AS day,
  e.type AS type,
  e.esp AS esp,
  e.source AS source,
  ifNull(e.campaign, '') AS campaign,
  e.mailbox_provider AS mailbox_provider,
  {{bounce_reason ifNull(e.enhanced_status, '') | lower(ifNull(e.diagnostic, ''))}} AS reason,
  {{bounce_class reason | ifNull(e.enhanced_status, '')}} AS reason_class,
  ifNull(e.bounce_category, '') AS esp_category,
  ifNull(e.bounce_class, '') AS esp_class,
  (type = 'bounced' AND reason != 'other' AND (esp_class, reason_class) IN (('hard', 'soft'), ('soft', 'hard')))::Bool AS class_differs,
  {{category_differs reason | esp_category}}::Bool AS category_differs,
  count() AS events,
  uniqExact(e.recipient_key) AS recipients,
  min(substringUTF8(ifNull(e.diagnostic, ''), 1, 200)) AS example
FROM {{database}}.email_events AS e
WHERE e.type IN ('bounced', 'deferred') AND e.event_id NOT IN (SELECT event_id FROM {{database}}.event_marks_current)
GROUP BY day, type, esp, source, campaign, mailbox_provider, reason, reason_class, esp_category, esp_class, class_differs, category_differs;

CREATE OR REPLACE VIEW {{database}}.list_hygiene {{on_cluster}}
(
  day Date COMMENT 'Day since which the reason holds, UTC',
  reason String COMMENT 'hard_bounce, soft_bounces, complaint, unsubscribe or manual',
  scope String COMMENT 'all, a stream, or account:<name>',
  esp String COMMENT 'Email service provider that reported it; empty: an operator',
  source String COMMENT 'Configured webhook that reported it; empty: an operator',
  mailbox_provider String COMMENT 'Who runs the mailboxes: gmail, outlook, yahoo, apple, gmx …; other: domains that are not a provider’s own',
  recipients UInt64 COMMENT 'Recipients with such a reason that is in force now; what was lifted since is not in it'
)
AS SELECT
  toDate(r.since) AS day,
  r.reason AS reason,
  r.scope AS scope,
  r.esp AS esp,
  r.source AS source,
  {{mailbox_provider if(position(recipient, '@') = 0, '', splitByChar('@', recipient)[-1])}} AS mailbox_provider,
  uniqExact(recipient) AS recipients
FROM {{database}}.suppressions_current
ARRAY JOIN reasons AS r
GROUP BY day, reason, scope, esp, source, mailbox_provider;

-- The rule of `events` is five in a row within 30 days, unless it is configured otherwise: this shows who comes near.
CREATE OR REPLACE VIEW {{database}}.soft_bounces_at_risk {{on_cluster}}
(
  recipient_key String COMMENT 'Recipient key',
  mailbox_provider String COMMENT 'Who runs the mailbox: gmail, outlook, yahoo, apple, gmx …; other: a domain that is not a provider’s own',
  in_a_row UInt64 COMMENT 'Soft bounces since the last delivery, of the last 30 days',
  first_at DateTime64(3, 'UTC') COMMENT 'First of these',
  last_at DateTime64(3, 'UTC') COMMENT 'Last of these',
  last_diagnostic String COMMENT 'Words of the last one'
)
AS SELECT
  recipient_key,
  r.provider AS mailbox_provider,
  length(r.since) AS in_a_row,
  r.since[1].1 AS first_at,
  r.since[-1].1 AS last_at,
  r.since[-1].3 AS last_diagnostic
FROM
(
  SELECT
    recipient_key,
    any(e.mailbox_provider) AS provider,
    maxIf(e.occurred_at, e.type = 'delivered') AS delivered_last,
    arraySort(groupUniqArrayIf((e.occurred_at, e.event_id, ifNull(e.diagnostic, '')), e.type = 'bounced')) AS soft_bounces,
    arrayFilter(b -> b.1 > delivered_last, soft_bounces) AS since
  FROM {{database}}.email_events AS e
  WHERE e.occurred_at > now64(3, 'UTC') - INTERVAL 30 DAY
    AND (e.type = 'delivered' OR (e.type = 'bounced' AND e.bounce_class = 'soft'))
    AND e.event_id NOT IN (SELECT event_id FROM {{database}}.event_marks_current)
    AND e.recipient_key IN (SELECT b.recipient_key FROM {{database}}.email_events AS b WHERE b.type = 'bounced' AND b.bounce_class = 'soft' AND b.occurred_at > now64(3, 'UTC') - INTERVAL 30 DAY)
  GROUP BY recipient_key
) AS r
WHERE notEmpty(r.since) AND recipient_key != '';

-- Exact for what happened within two days, by the sort key of the table; of a source that was silent for longer, the hour.
CREATE OR REPLACE VIEW {{database}}.source_freshness {{on_cluster}}
(
  esp String COMMENT 'Email service provider',
  source String COMMENT 'Configured webhook',
  last_occurred_at DateTime64(3, 'UTC') COMMENT 'When the latest event happened, by the clock of the ESP; if that is more than two days ago, the hour',
  last_received_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When the latest of the events of the last two days was received; null if there are none',
  last_inserted_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When the latest of these was inserted here',
  silent_seconds Int64 COMMENT 'Seconds since the latest event happened',
  to_insert_seconds Nullable(Float64) COMMENT 'Seconds from the receipt to the insert of the latest event of the last two days: what the pipeline took',
  last_type String COMMENT 'Type of the latest event of the last two days; empty if there are none'
)
AS SELECT
  esp,
  source,
  if(max(f.exact) > max(f.hour), max(f.exact), max(f.hour)) AS last_occurred_at,
  maxOrNullIf(f.received, f.is_exact) AS last_received_at,
  maxOrNullIf(f.inserted, f.is_exact) AS last_inserted_at,
  dateDiff('second', last_occurred_at, now64(3, 'UTC')) AS silent_seconds,
  maxOrNullIf(dateDiff('millisecond', f.received, f.inserted) / 1000, f.is_exact) AS to_insert_seconds,
  argMaxIf(f.last, f.received, f.is_exact) AS last_type
FROM
(
  SELECT h.esp AS esp, h.source AS source, toDateTime64(max(h.hour), 3, 'UTC') AS hour, toDateTime64(0, 3, 'UTC') AS exact,
    toDateTime64(0, 3, 'UTC') AS received, toDateTime64(0, 3, 'UTC') AS inserted, '' AS last, false AS is_exact
  FROM {{database}}.email_events_hourly AS h
  GROUP BY esp, source
  UNION ALL
  SELECT e.esp AS esp, e.source AS source, toDateTime64(0, 3, 'UTC') AS hour, max(e.occurred_at) AS exact,
    max(e.received_at) AS received, argMax(e.inserted_at, e.received_at) AS inserted, toString(argMax(e.type, e.received_at)) AS last, true AS is_exact
  FROM {{database}}.email_events AS e
  WHERE toStartOfHour(e.occurred_at) >= toStartOfHour(now64(3, 'UTC') - INTERVAL 2 DAY) AND e.occurred_at >= now64(3, 'UTC') - INTERVAL 2 DAY
  GROUP BY esp, source
) AS f
GROUP BY esp, source;

-- Nothing is left out here: what does not count in reports is flagged.
CREATE OR REPLACE VIEW {{database}}.recipient_timeline {{on_cluster}}
(
  recipient_key String COMMENT 'Recipient key; always filter by it',
  occurred_at DateTime64(3, 'UTC') COMMENT 'When it happened',
  type LowCardinality(String) COMMENT 'Event type',
  esp LowCardinality(String) COMMENT 'Email service provider',
  source String COMMENT 'Configured webhook that reported it',
  campaign Nullable(String) COMMENT 'Campaign',
  variant Nullable(String) COMMENT 'A/B variant',
  subject Nullable(String) COMMENT 'Subject of the message',
  esp_message_id Nullable(String) COMMENT 'Message id of the ESP',
  detail String COMMENT 'What matters most of this event: reason, link, scope …',
  mark String COMMENT 'forged or superseded: it does not count in reports; empty: it does',
  event_id String COMMENT 'Event id',
  request_id String COMMENT 'Request that reported it',
  message String COMMENT 'What names the message in the view messages; empty if the ESP names none',
  mailbox_provider LowCardinality(String) COMMENT 'Who runs the mailbox: gmail, outlook, yahoo, apple, gmx …; other: a domain that is not a provider’s own',
  is_machine Nullable(Bool) COMMENT 'opened, clicked: whether a machine did it; null if the ESP does not say',
  received_at DateTime64(3, 'UTC') COMMENT 'When it was received',
  raw_partition Int32 COMMENT 'Partition of email.raw that holds the bytes of the request',
  raw_offset Int64 COMMENT 'Offset in that partition',
  item_index Int32 COMMENT 'Position of the event in the request, from 0'
)
AS SELECT
  recipient_key,
  occurred_at,
  type,
  esp,
  source,
  campaign,
  variant,
  subject,
  esp_message_id,
  multiIf(
    type = 'bounced', concat(ifNull(bounce_class, ''), ' ', ifNull(bounce_category, ''), ': ', ifNull(diagnostic, '')),
    type = 'deferred', ifNull(diagnostic, ''),
    type = 'dropped', concat(ifNull(drop_reason, ''), ': ', ifNull(diagnostic, '')),
    type = 'opened', if(ifNull(is_machine, false), 'by a machine', ''),
    type = 'clicked', ifNull(url, ''),
    type = 'complained', ifNull(feedback_type, ''),
    type IN ('unsubscribed', 'subscribed'), ifNull(scope, ''),
    type = 'delivered', ifNull(smtp_response, ''),
    type = 'other', esp_event_type,
    ''
  ) AS detail,
  multiIf(
    event_id IN (SELECT event_id FROM {{database}}.event_marks_current WHERE mark = 'superseded'), 'superseded',
    event_id IN (SELECT event_id FROM {{database}}.event_marks_current), 'forged',
    ''
  ) AS mark,
  event_id,
  request_id,
  coalesce(nullIf(e.esp_message_id, ''), nullIf(e.message_id, ''), '') AS message,
  e.mailbox_provider AS mailbox_provider,
  e.is_machine AS is_machine,
  e.received_at AS received_at,
  e.raw_partition AS raw_partition,
  e.raw_offset AS raw_offset,
  e.item_index AS item_index
FROM {{database}}.email_events AS e;

-- For whoever has an address as it was written: in upper case, with blanks around it. An international domain is given in its ASCII form, since
-- not every server can convert it; the command line takes any spelling.
CREATE OR REPLACE VIEW {{database}}.recipient_story {{on_cluster}}
AS SELECT * FROM {{database}}.recipient_timeline
WHERE recipient_key = lowerUTF8(replaceRegexpAll({address:String}, '^\\s+|\\s+$', ''))
ORDER BY occurred_at, event_id;
