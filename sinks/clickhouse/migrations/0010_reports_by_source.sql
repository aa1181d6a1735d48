-- Reports leave out events that an operator marked, and tell sources apart: what one webhook claims, whoever has its secret,
-- is not mixed into the rates of another. A message counts as delivered only if no bounce of it came later.
CREATE OR REPLACE VIEW {{database}}.events_by_esp_and_type {{on_cluster}}
(
  esp LowCardinality(String) COMMENT 'Email service provider',
  source String COMMENT 'Configured webhook',
  type LowCardinality(String) COMMENT 'Event type',
  events UInt64 COMMENT 'Number of events that count',
  marked UInt64 COMMENT 'Number of events that an operator marked: they do not count',
  first_hour Nullable(DateTime('UTC')) COMMENT 'First hour with an event that counts; null if none does',
  last_hour Nullable(DateTime('UTC')) COMMENT 'Last hour with an event that counts; null if none does'
)
AS SELECT esp, source, type, sum(h.events) AS events, sum(h.marked) AS marked, minOrNullIf(hour, h.events > 0) AS first_hour, maxOrNullIf(hour, h.events > 0) AS last_hour
FROM {{database}}.events_hourly AS h
GROUP BY esp, source, type
ORDER BY esp, source, type;

-- Recipients are counted once a campaign and source, however often they opened. Opens and clicks by machines count apart.
CREATE OR REPLACE VIEW {{database}}.campaign_performance {{on_cluster}}
(
  source String COMMENT 'Configured webhook that reported the events',
  campaign String COMMENT 'Campaign',
  variant String COMMENT 'A/B variant; empty if none',
  sent UInt64 COMMENT 'Recipients that any message of the campaign was sent to or tried to be',
  delivered UInt64 COMMENT 'Recipients with a message that was delivered and did not bounce afterwards',
  bounced_hard UInt64 COMMENT 'Recipients with a hard bounce',
  bounced_soft UInt64 COMMENT 'Recipients with a soft or undetermined bounce',
  dropped UInt64 COMMENT 'Recipients whose message the ESP did not attempt to deliver',
  opened UInt64 COMMENT 'Recipients who opened, machines excluded',
  clicked UInt64 COMMENT 'Recipients who clicked, machines excluded',
  complained UInt64 COMMENT 'Recipients who complained',
  unsubscribed UInt64 COMMENT 'Recipients who unsubscribed',
  opens UInt64 COMMENT 'All opens, machines excluded',
  clicks UInt64 COMMENT 'All clicks, machines excluded',
  machine_opens UInt64 COMMENT 'Opens by machines',
  machine_clicks UInt64 COMMENT 'Clicks by machines',
  delivery_rate Nullable(Float64) COMMENT 'delivered / sent',
  open_rate Nullable(Float64) COMMENT 'opened / delivered',
  click_rate Nullable(Float64) COMMENT 'clicked / delivered',
  click_to_open_rate Nullable(Float64) COMMENT 'clicked / opened',
  complaint_rate Nullable(Float64) COMMENT 'complained / delivered',
  unsubscribe_rate Nullable(Float64) COMMENT 'unsubscribed / delivered',
  first_at DateTime64(3, 'UTC') COMMENT 'First event',
  last_at DateTime64(3, 'UTC') COMMENT 'Last event'
)
AS SELECT
  source,
  campaign,
  variant,
  uniqExactIf(recipient_key, m.was_sent) AS sent,
  uniqExactIf(recipient_key, m.was_delivered AND NOT m.bounced_later) AS delivered,
  uniqExactIf(recipient_key, m.was_bounced_hard) AS bounced_hard,
  uniqExactIf(recipient_key, m.was_bounced_soft) AS bounced_soft,
  uniqExactIf(recipient_key, m.was_dropped) AS dropped,
  uniqExactIf(recipient_key, m.message_opens > 0) AS opened,
  uniqExactIf(recipient_key, m.message_clicks > 0) AS clicked,
  uniqExactIf(recipient_key, m.was_complained) AS complained,
  uniqExactIf(recipient_key, m.was_unsubscribed) AS unsubscribed,
  sum(m.message_opens) AS opens,
  sum(m.message_clicks) AS clicks,
  sum(m.by_machines_opened) AS machine_opens,
  sum(m.by_machines_clicked) AS machine_clicks,
  delivered / nullIf(sent, 0) AS delivery_rate,
  opened / nullIf(delivered, 0) AS open_rate,
  clicked / nullIf(delivered, 0) AS click_rate,
  clicked / nullIf(opened, 0) AS click_to_open_rate,
  complained / nullIf(delivered, 0) AS complaint_rate,
  unsubscribed / nullIf(delivered, 0) AS unsubscribe_rate,
  min(m.first_event) AS first_at,
  max(m.last_event) AS last_at
FROM
(
  -- A message to a recipient; all of a recipient's messages together where the ESP names none.
  SELECT
    source,
    ifNull(e.campaign, '') AS campaign,
    ifNull(e.variant, '') AS variant,
    recipient_key,
    coalesce(esp_message_id, message_id, '') AS message,
    countIf(type IN ('queued', 'delivered', 'deferred', 'bounced', 'dropped')) > 0 AS was_sent,
    countIf(type = 'delivered') > 0 AS was_delivered,
    countIf(type = 'bounced') > 0 AND maxIf(occurred_at, type = 'bounced') >= maxIf(occurred_at, type = 'delivered') AS bounced_later,
    countIf(type = 'bounced' AND bounce_class = 'hard') > 0 AS was_bounced_hard,
    countIf(type = 'bounced' AND bounce_class != 'hard') > 0 AS was_bounced_soft,
    countIf(type = 'dropped') > 0 AS was_dropped,
    countIf(type = 'complained') > 0 AS was_complained,
    countIf(type = 'unsubscribed') > 0 AS was_unsubscribed,
    countIf(type = 'opened' AND NOT ifNull(is_machine, false)) AS message_opens,
    countIf(type = 'clicked' AND NOT ifNull(is_machine, false)) AS message_clicks,
    countIf(type = 'opened' AND ifNull(is_machine, false)) AS by_machines_opened,
    countIf(type = 'clicked' AND ifNull(is_machine, false)) AS by_machines_clicked,
    min(occurred_at) AS first_event,
    max(occurred_at) AS last_event
  FROM {{database}}.email_events AS e
  WHERE e.campaign IS NOT NULL AND event_id NOT IN (SELECT event_id FROM {{database}}.event_marks_current)
  GROUP BY source, campaign, variant, recipient_key, message
) AS m
GROUP BY source, campaign, variant;

-- A message ends in one way, so these add up: attempted = delivered + bounced_hard + bounced_soft + dropped.
CREATE OR REPLACE VIEW {{database}}.deliverability_by_domain {{on_cluster}}
(
  recipient_domain LowCardinality(String) COMMENT 'Domain of the recipients',
  esp LowCardinality(String) COMMENT 'Email service provider',
  source String COMMENT 'Configured webhook that reported the events',
  attempted UInt64 COMMENT 'Messages that ended as delivered, bounced or dropped; recipients, where the ESP names no message',
  delivered UInt64 COMMENT 'Messages that were delivered and did not bounce afterwards',
  deferred UInt64 COMMENT 'Deferrals; a message may have several',
  bounced_hard UInt64 COMMENT 'Messages that bounced for good, before or after a delivery',
  bounced_soft UInt64 COMMENT 'Messages that ended with a soft or undetermined bounce',
  dropped UInt64 COMMENT 'Messages that the ESP did not attempt to deliver',
  complained UInt64 COMMENT 'Messages complained of',
  delivery_rate Nullable(Float64) COMMENT 'delivered / attempted',
  hard_bounce_rate Nullable(Float64) COMMENT 'bounced_hard / attempted',
  complaint_rate Nullable(Float64) COMMENT 'complained / delivered'
)
AS SELECT
  recipient_domain,
  esp,
  source,
  countIf(m.was_delivered OR m.was_bounced OR m.was_dropped) AS attempted,
  countIf(m.was_delivered AND NOT m.bounced_later) AS delivered,
  sum(m.deferrals) AS deferred,
  countIf(m.bounced_last AND m.was_hard) AS bounced_hard,
  countIf(m.bounced_last AND NOT m.was_hard) AS bounced_soft,
  countIf(m.was_dropped AND NOT m.was_delivered AND NOT m.was_bounced) AS dropped,
  countIf(m.was_complained) AS complained,
  delivered / nullIf(attempted, 0) AS delivery_rate,
  bounced_hard / nullIf(attempted, 0) AS hard_bounce_rate,
  complained / nullIf(delivered, 0) AS complaint_rate
FROM
(
  SELECT
    recipient_domain,
    esp,
    source,
    recipient_key,
    coalesce(esp_message_id, message_id, '') AS message,
    countIf(type = 'delivered') > 0 AS was_delivered,
    countIf(type = 'bounced') > 0 AS was_bounced,
    countIf(type = 'bounced' AND bounce_class = 'hard') > 0 AS was_hard,
    countIf(type = 'bounced') > 0 AND maxIf(occurred_at, type = 'bounced') >= maxIf(occurred_at, type = 'delivered') AS bounced_later,
    was_bounced AND (bounced_later OR NOT was_delivered) AS bounced_last,
    countIf(type = 'dropped') > 0 AS was_dropped,
    countIf(type = 'deferred') AS deferrals,
    countIf(type = 'complained') > 0 AS was_complained
  FROM {{database}}.email_events
  WHERE type IN ('delivered', 'deferred', 'bounced', 'dropped', 'complained')
    AND event_id NOT IN (SELECT event_id FROM {{database}}.event_marks_current)
  GROUP BY recipient_domain, esp, source, recipient_key, message
) AS m
GROUP BY recipient_domain, esp, source;

-- Two-sided two-proportion z test of each variant against all other variants of its campaign together, by source.
CREATE OR REPLACE VIEW {{database}}.ab_comparison {{on_cluster}}
(
  source String COMMENT 'Configured webhook that reported the events',
  campaign String COMMENT 'Campaign with at least two variants',
  variant String COMMENT 'Variant',
  delivered UInt64 COMMENT 'Recipients with a message that was delivered and did not bounce afterwards',
  opened UInt64 COMMENT 'Recipients who opened, machines excluded',
  clicked UInt64 COMMENT 'Recipients who clicked, machines excluded',
  open_rate Nullable(Float64) COMMENT 'opened / delivered',
  click_rate Nullable(Float64) COMMENT 'clicked / delivered',
  open_rate_of_others Nullable(Float64) COMMENT 'Open rate of the other variants together',
  click_rate_of_others Nullable(Float64) COMMENT 'Click rate of the other variants together',
  open_p_value Nullable(Float64) COMMENT 'Chance of a difference in open rates at least as large if there were none; below 0.05 is commonly called significant',
  click_p_value Nullable(Float64) COMMENT 'The same for click rates'
)
AS WITH
  sum(p.delivered) OVER (PARTITION BY p.source, p.campaign) AS all_delivered,
  sum(p.opened) OVER (PARTITION BY p.source, p.campaign) AS all_opened,
  sum(p.clicked) OVER (PARTITION BY p.source, p.campaign) AS all_clicked,
  count() OVER (PARTITION BY p.source, p.campaign) AS variants,
  1 / nullIf(p.delivered, 0) + 1 / nullIf(all_delivered - p.delivered, 0) AS inverse_sizes,
  least(1, all_opened / nullIf(all_delivered, 0)) AS pooled_open,
  least(1, all_clicked / nullIf(all_delivered, 0)) AS pooled_click
SELECT source, campaign, variant, delivered, opened, clicked, open_rate, click_rate, open_rate_of_others, click_rate_of_others, open_p_value, click_p_value
FROM
(
  SELECT
    p.source AS source,
    p.campaign AS campaign,
    p.variant AS variant,
    p.delivered AS delivered,
    p.opened AS opened,
    p.clicked AS clicked,
    p.open_rate AS open_rate,
    p.click_rate AS click_rate,
    variants AS variant_count,
    (all_opened - p.opened) / nullIf(all_delivered - p.delivered, 0) AS open_rate_of_others,
    (all_clicked - p.clicked) / nullIf(all_delivered - p.delivered, 0) AS click_rate_of_others,
    erfc(abs(p.open_rate - open_rate_of_others) / nullIf(sqrt(2 * pooled_open * (1 - pooled_open) * inverse_sizes), 0)) AS open_p_value,
    erfc(abs(p.click_rate - click_rate_of_others) / nullIf(sqrt(2 * pooled_click * (1 - pooled_click) * inverse_sizes), 0)) AS click_p_value
  FROM {{database}}.campaign_performance AS p
  WHERE p.variant != ''
)
WHERE variant_count > 1;

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
  request_id String COMMENT 'Request that reported it'
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
  request_id
FROM {{database}}.email_events;
