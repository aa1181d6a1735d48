-- metrics: version 1
-- ESP against ESP at the same mailbox provider: what is the provider's and what is the ESP's is told apart by those who send to the same place.
CREATE OR REPLACE VIEW {{database}}.esp_by_provider {{on_cluster}}
(
  month Date COMMENT 'First day of the month of the first event of the messages, UTC',
  mailbox_provider String COMMENT 'Who runs the mailboxes: gmail, outlook, yahoo, apple, gmx …; other: domains that are not a provider’s own',
  esp String COMMENT 'Email service provider',
{{metric_columns sent attempted delivered hard_bounced soft_bounced dropped blocked deferred opened complained delivery_rate hard_bounce_rate block_rate deferral_rate open_rate complaint_rate}},
  delivery_rate_of_others Nullable(Float64) COMMENT 'delivery_rate of all other ESPs together, at this provider in this month; null if there are none',
  block_rate_of_others Nullable(Float64) COMMENT 'block_rate of all other ESPs together, at this provider in this month',
  complaint_rate_of_others Nullable(Float64) COMMENT 'complaint_rate of all other ESPs together, at this provider in this month'
)
AS SELECT
  month, mailbox_provider, esp,
  t.sent AS sent, t.attempted AS attempted, t.delivered AS delivered, t.hard_bounced AS hard_bounced, t.soft_bounced AS soft_bounced,
  t.dropped AS dropped, t.blocked AS blocked, t.deferred AS deferred, t.opened AS opened, t.complained AS complained,
  t.delivery_rate AS delivery_rate, t.hard_bounce_rate AS hard_bounce_rate, t.block_rate AS block_rate, t.deferral_rate AS deferral_rate,
  t.open_rate AS open_rate, t.complaint_rate AS complaint_rate,
  (sum(t.delivered) OVER others - t.delivered) / nullIf(sum(t.attempted) OVER others - t.attempted, 0) AS delivery_rate_of_others,
  (sum(t.blocked) OVER others - t.blocked) / nullIf(sum(t.attempted) OVER others - t.attempted, 0) AS block_rate_of_others,
  (sum(t.complained) OVER others - t.complained) / nullIf(sum(t.delivered) OVER others - t.delivered, 0) AS complaint_rate_of_others
FROM
(
  SELECT
    toStartOfMonth(m.first_at) AS month,
    m.mailbox_provider AS mailbox_provider,
    m.esp AS esp,
{{metric_values sent attempted delivered hard_bounced soft_bounced dropped blocked deferred opened complained delivery_rate hard_bounce_rate block_rate deferral_rate open_rate complaint_rate}}
  FROM {{database}}.messages AS m
  GROUP BY month, mailbox_provider, esp
) AS t
WINDOW others AS (PARTITION BY month, mailbox_provider);

-- Recipients by how long ago they opened or clicked last: whom to write to less often, or not at all.
CREATE OR REPLACE VIEW {{database}}.engagement_cohorts {{on_cluster}}
(
  cohort String COMMENT 'Days since the last open or click by a person, or by whom the ESP does not say: 0-30, 31-90, 91-180, 181-365, over 365; never: none is known',
  mailbox_provider String COMMENT 'Who runs the mailboxes: gmail, outlook, yahoo, apple, gmx …; other: domains that are not a provider’s own',
  recipients UInt64 COMMENT 'Recipients to whom a message was ever delivered, each in one cohort',
  delivered_30_days UInt64 COMMENT 'Messages that were delivered to them within the last 30 days',
  bounced_hard UInt64 COMMENT 'Of the recipients: those with a hard bounce',
  complained UInt64 COMMENT 'Of the recipients: those who complained',
  unsubscribed UInt64 COMMENT 'Of the recipients: those who unsubscribed'
)
AS SELECT
  multiIf(r.engaged_at IS NULL, 'never', r.days <= 30, '0-30', r.days <= 90, '31-90', r.days <= 180, '91-180', r.days <= 365, '181-365', 'over 365') AS cohort,
  r.provider AS mailbox_provider,
  count() AS recipients,
  sum(r.delivered_lately) AS delivered_30_days,
  countIf(r.bounced) AS bounced_hard,
  countIf(r.complained) AS complained,
  countIf(r.unsubscribed) AS unsubscribed
FROM
(
  SELECT
    recipient_key,
    any(m.mailbox_provider) AS provider,
    max(greatest(ifNull(m.last_opened_at, m.last_clicked_at), ifNull(m.last_clicked_at, m.last_opened_at))) AS engaged_at,
    intDiv(dateDiff('second', engaged_at, now64(3, 'UTC')), 86400) AS days,
    countIf(m.last_delivered_at >= now64(3, 'UTC') - INTERVAL 30 DAY) AS delivered_lately,
    countIf(m.hard_bounced_at IS NOT NULL) > 0 AS bounced,
    countIf(m.complained_at IS NOT NULL) > 0 AS complained,
    countIf(m.unsubscribed_at IS NOT NULL) > 0 AS unsubscribed
  FROM {{database}}.messages AS m
  GROUP BY recipient_key
  HAVING countIf(m.delivered_at IS NOT NULL) > 0
) AS r
GROUP BY cohort, mailbox_provider;
