-- facts: version 1
-- campaign_performance out of message_facts, which is sorted by campaign: one campaign is found without reading all events. What it says is as it
-- was, but that events of nobody (no recipient) and subscriptions are no part of a campaign.
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
  countIf(r.was_sent) AS sent,
  countIf(r.was_delivered) AS delivered,
  countIf(r.was_bounced_hard) AS bounced_hard,
  countIf(r.was_bounced_soft) AS bounced_soft,
  countIf(r.was_dropped) AS dropped,
  countIf(r.all_opens > 0) AS opened,
  countIf(r.all_clicks > 0) AS clicked,
  countIf(r.was_complained) AS complained,
  countIf(r.was_unsubscribed) AS unsubscribed,
  sum(r.all_opens) AS opens,
  sum(r.all_clicks) AS clicks,
  sum(r.all_machine_opens) AS machine_opens,
  sum(r.all_machine_clicks) AS machine_clicks,
  delivered / nullIf(sent, 0) AS delivery_rate,
  opened / nullIf(delivered, 0) AS open_rate,
  clicked / nullIf(delivered, 0) AS click_rate,
  clicked / nullIf(opened, 0) AS click_to_open_rate,
  complained / nullIf(delivered, 0) AS complaint_rate,
  unsubscribed / nullIf(delivered, 0) AS unsubscribe_rate,
  min(r.first_event) AS first_at,
  max(r.last_event) AS last_at
FROM
(
  -- A recipient, of all messages to it: counted once.
  SELECT
    source,
    campaign,
    variant,
    recipient_key,
    max(m.was_sent) AS was_sent,
    max(notEmpty(m.delivered) AND (empty(m.bounces) OR arrayMax(m.bounces) < arrayMax(m.delivered))) AS was_delivered,
    max(m.was_bounced_hard) AS was_bounced_hard,
    max(m.was_bounced_soft) AS was_bounced_soft,
    max(m.was_dropped) AS was_dropped,
    max(m.was_complained) AS was_complained,
    max(m.was_unsubscribed) AS was_unsubscribed,
    sum(m.opens) AS all_opens,
    sum(m.clicks) AS all_clicks,
    sum(m.machine_opens) AS all_machine_opens,
    sum(m.machine_clicks) AS all_machine_clicks,
    min(m.first_at) AS first_event,
    max(m.last_at) AS last_event
  FROM
  (
    -- A message to it; all of its messages together where the ESP names none.
    SELECT
      source,
      campaign,
      variant,
      recipient_key,
      notEmpty({{fact_times queued hard_bounced}}) AS was_sent,
      {{fact_times delivered}} AS delivered,
      {{fact_times bounced hard_bounced}} AS bounces,
      notEmpty({{fact_times hard_bounced}}) AS was_bounced_hard,
      notEmpty({{fact_times bounced}}) AS was_bounced_soft,
      notEmpty({{fact_times dropped}}) AS was_dropped,
      notEmpty({{fact_times complained not_spam}}) AS was_complained,
      notEmpty({{fact_times unsubscribed}}) AS was_unsubscribed,
      {{fact_count opened_by_person opened}} AS opens,
      {{fact_count clicked_by_person clicked}} AS clicks,
      {{fact_count opened_by_machine}} AS machine_opens,
      {{fact_count clicked_by_machine}} AS machine_clicks,
      g.first_at AS first_at,
      fromUnixTimestamp64Milli(arrayMax({{fact_times any}}), 'UTC') AS last_at
    FROM
    (
      SELECT campaign, source, recipient_key, message, variant, groupUniqArrayArray(s.facts) AS f, min(s.first_at) AS first_at
      FROM
      (
        SELECT campaign, source, recipient_key, message, variant, facts, first_at
        FROM {{database}}.message_facts
        WHERE recipient_key NOT IN (SELECT recipient FROM {{database}}.event_marks_current)
        UNION ALL
        -- Of whom an event is marked is read from the events themselves: nothing can be taken out of a table that only adds up.
        SELECT
          ifNull(e.campaign, '') AS campaign,
          e.source AS source,
          e.recipient_key AS recipient_key,
          coalesce(nullIf(e.esp_message_id, ''), nullIf(e.message_id, ''), '') AS message,
          ifNull(e.variant, '') AS variant,
          [{{fact e}}] AS facts,
          e.occurred_at AS first_at
        FROM {{database}}.email_events AS e
        WHERE e.recipient_key != '' AND e.type NOT IN ('subscribed', 'other')
          AND e.recipient_key IN (SELECT recipient FROM {{database}}.event_marks_current)
          AND e.event_id NOT IN (SELECT event_id FROM {{database}}.event_marks_current)
      ) AS s
      GROUP BY campaign, source, recipient_key, message, variant
    ) AS g
    WHERE campaign != ''
  ) AS m
  GROUP BY source, campaign, variant, recipient_key
) AS r
GROUP BY source, campaign, variant;
