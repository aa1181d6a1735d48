CREATE VIEW IF NOT EXISTS {{database}}.events_by_esp_and_type {{on_cluster}}
(
  esp LowCardinality(String) COMMENT 'Email service provider',
  type LowCardinality(String) COMMENT 'Event type',
  events UInt64 COMMENT 'Number of events',
  first_hour DateTime('UTC') COMMENT 'First hour with such an event',
  last_hour DateTime('UTC') COMMENT 'Last hour with such an event'
)
AS SELECT esp, type, sum(h.events) AS events, min(hour) AS first_hour, max(hour) AS last_hour
FROM {{database}}.email_events_hourly AS h
GROUP BY esp, type
ORDER BY esp, type;

-- Recipients are counted once a campaign, however often they opened. Opens and clicks by machines count apart.
CREATE VIEW IF NOT EXISTS {{database}}.campaign_performance {{on_cluster}}
(
  campaign String COMMENT 'Campaign',
  variant String COMMENT 'A/B variant; empty if none',
  sent UInt64 COMMENT 'Recipients that any message of the campaign was sent to or tried to be',
  delivered UInt64 COMMENT 'Recipients with a delivered message',
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
  ifNull(e.campaign, '') AS campaign,
  ifNull(e.variant, '') AS variant,
  uniqExactIf(recipient_key, type IN ('queued', 'delivered', 'deferred', 'bounced', 'dropped')) AS sent,
  uniqExactIf(recipient_key, type = 'delivered') AS delivered,
  uniqExactIf(recipient_key, type = 'bounced' AND bounce_class = 'hard') AS bounced_hard,
  uniqExactIf(recipient_key, type = 'bounced' AND bounce_class != 'hard') AS bounced_soft,
  uniqExactIf(recipient_key, type = 'dropped') AS dropped,
  uniqExactIf(recipient_key, type = 'opened' AND NOT ifNull(is_machine, false)) AS opened,
  uniqExactIf(recipient_key, type = 'clicked' AND NOT ifNull(is_machine, false)) AS clicked,
  uniqExactIf(recipient_key, type = 'complained') AS complained,
  uniqExactIf(recipient_key, type = 'unsubscribed') AS unsubscribed,
  countIf(type = 'opened' AND NOT ifNull(is_machine, false)) AS opens,
  countIf(type = 'clicked' AND NOT ifNull(is_machine, false)) AS clicks,
  countIf(type = 'opened' AND ifNull(is_machine, false)) AS machine_opens,
  countIf(type = 'clicked' AND ifNull(is_machine, false)) AS machine_clicks,
  delivered / nullIf(sent, 0) AS delivery_rate,
  opened / nullIf(delivered, 0) AS open_rate,
  clicked / nullIf(delivered, 0) AS click_rate,
  clicked / nullIf(opened, 0) AS click_to_open_rate,
  complained / nullIf(delivered, 0) AS complaint_rate,
  unsubscribed / nullIf(delivered, 0) AS unsubscribe_rate,
  min(occurred_at) AS first_at,
  max(occurred_at) AS last_at
FROM {{database}}.email_events AS e
WHERE e.campaign IS NOT NULL
GROUP BY campaign, variant;

CREATE VIEW IF NOT EXISTS {{database}}.deliverability_by_domain {{on_cluster}}
(
  recipient_domain LowCardinality(String) COMMENT 'Domain of the recipients',
  esp LowCardinality(String) COMMENT 'Email service provider',
  attempted UInt64 COMMENT 'Messages that ended as delivered, bounced or dropped',
  delivered UInt64 COMMENT 'Delivered messages',
  deferred UInt64 COMMENT 'Deferrals; a message may have several',
  bounced_hard UInt64 COMMENT 'Hard bounces',
  bounced_soft UInt64 COMMENT 'Soft or undetermined bounces',
  dropped UInt64 COMMENT 'Messages that the ESP did not attempt to deliver',
  complained UInt64 COMMENT 'Complaints',
  delivery_rate Nullable(Float64) COMMENT 'delivered / attempted',
  hard_bounce_rate Nullable(Float64) COMMENT 'bounced_hard / attempted',
  complaint_rate Nullable(Float64) COMMENT 'complained / delivered'
)
AS SELECT
  recipient_domain,
  esp,
  sumIf(events, type IN ('delivered', 'bounced', 'dropped')) AS attempted,
  sumIf(events, type = 'delivered') AS delivered,
  sumIf(events, type = 'deferred') AS deferred,
  sumIf(events, type = 'bounced' AND bounce_class = 'hard') AS bounced_hard,
  sumIf(events, type = 'bounced' AND bounce_class != 'hard') AS bounced_soft,
  sumIf(events, type = 'dropped') AS dropped,
  sumIf(events, type = 'complained') AS complained,
  delivered / nullIf(attempted, 0) AS delivery_rate,
  bounced_hard / nullIf(attempted, 0) AS hard_bounce_rate,
  complained / nullIf(delivered, 0) AS complaint_rate
FROM {{database}}.email_events_hourly
GROUP BY recipient_domain, esp;

-- Two-sided two-proportion z test of each variant against all other variants of its campaign together.
CREATE VIEW IF NOT EXISTS {{database}}.ab_comparison {{on_cluster}}
(
  campaign String COMMENT 'Campaign with at least two variants',
  variant String COMMENT 'Variant',
  delivered UInt64 COMMENT 'Recipients with a delivered message',
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
  sum(p.delivered) OVER (PARTITION BY p.campaign) AS all_delivered,
  sum(p.opened) OVER (PARTITION BY p.campaign) AS all_opened,
  sum(p.clicked) OVER (PARTITION BY p.campaign) AS all_clicked,
  count() OVER (PARTITION BY p.campaign) AS variants,
  1 / nullIf(p.delivered, 0) + 1 / nullIf(all_delivered - p.delivered, 0) AS inverse_sizes,
  least(1, all_opened / nullIf(all_delivered, 0)) AS pooled_open,
  least(1, all_clicked / nullIf(all_delivered, 0)) AS pooled_click
SELECT campaign, variant, delivered, opened, clicked, open_rate, click_rate, open_rate_of_others, click_rate_of_others, open_p_value, click_p_value
FROM
(
  SELECT
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

CREATE VIEW IF NOT EXISTS {{database}}.recipient_timeline {{on_cluster}}
(
  recipient_key String COMMENT 'Recipient key; always filter by it',
  occurred_at DateTime64(3, 'UTC') COMMENT 'When it happened',
  type LowCardinality(String) COMMENT 'Event type',
  esp LowCardinality(String) COMMENT 'Email service provider',
  campaign Nullable(String) COMMENT 'Campaign',
  variant Nullable(String) COMMENT 'A/B variant',
  subject Nullable(String) COMMENT 'Subject of the message',
  esp_message_id Nullable(String) COMMENT 'Message id of the ESP',
  detail String COMMENT 'What matters most of this event: reason, link, scope …',
  event_id String COMMENT 'Event id',
  request_id String COMMENT 'Request that reported it'
)
AS SELECT
  recipient_key,
  occurred_at,
  type,
  esp,
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
  event_id,
  request_id
FROM {{database}}.email_events;
