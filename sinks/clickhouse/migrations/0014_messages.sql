-- mailbox providers: version 1
-- A message and recipient in one row. What each event says of its message is put together in a way that does not depend on the order, nor on
-- how often it is said: the earliest, the latest, the greatest, and sets of events. So a row that comes late, twice, by a retried insert or by
-- the filling below makes no difference, and this table needs no memory of its inserts.
{{define step}}
  ifNull(e.campaign, '') AS campaign,
  e.source AS source,
  e.recipient_key AS recipient_key,
  -- Where no message is named, all that a recipient got of a campaign is one: the campaign is part of the key.
  coalesce(nullIf(e.esp_message_id, ''), nullIf(e.message_id, ''), '') AS message,
  ifNull(e.variant, '') AS variant,
  e.esp AS esp,
  e.recipient_domain AS recipient_domain,
  ifNull(e.stream, '') AS stream,
  ifNull(e.sender, '') AS sender,
  ifNull(e.subject, '') AS subject,
  ifNull(e.message_id, '') AS message_id,
  e.occurred_at AS first_at,
  e.occurred_at AS last_at,
  if(e.type = 'queued', e.occurred_at, NULL) AS queued_at,
  if(e.type = 'delivered', e.occurred_at, NULL) AS delivered_at,
  delivered_at AS last_delivered_at,
  if(e.type = 'deferred', e.occurred_at, NULL) AS deferred_at,
  deferred_at AS last_deferred_at,
  if(e.type = 'deferred', [sipHash64(e.event_id)], []) AS deferral_ids,
  if(e.type = 'dropped', e.occurred_at, NULL) AS dropped_at,
  if(e.type = 'dropped', ifNull(e.drop_reason, ''), '') AS drop_reason,
  if(e.type = 'bounced', e.occurred_at, NULL) AS bounced_at,
  bounced_at AS last_bounced_at,
  if(e.type = 'bounced' AND ifNull(e.bounce_class, '') = 'hard', e.occurred_at, NULL) AS hard_bounced_at,
  if(e.type = 'bounced', [(e.occurred_at, e.event_id, ifNull(e.bounce_class, ''), ifNull(e.bounce_category, ''), ifNull(e.enhanced_status, ''), ifNull(e.smtp_code, 0), ifNull(e.diagnostic, ''))]::Array(Tuple(at DateTime64(3, 'UTC'), event_id String, class String, category String, enhanced_status String, smtp_code Int32, diagnostic String)), []) AS bounces,
  if(e.type = 'opened' AND NOT ifNull(e.is_machine, false), e.occurred_at, NULL) AS opened_at,
  opened_at AS last_opened_at,
  if(e.type = 'opened' AND ifNull(e.is_machine, false), e.occurred_at, NULL) AS machine_opened_at,
  machine_opened_at AS last_machine_opened_at,
  if(e.type = 'opened' AND ifNull(NOT e.is_machine, false), [sipHash64(e.event_id)], []) AS person_open_ids,
  if(e.type = 'opened' AND e.is_machine IS NULL, [sipHash64(e.event_id)], []) AS unjudged_open_ids,
  if(e.type = 'opened' AND ifNull(e.is_machine, false), [sipHash64(e.event_id)], []) AS machine_open_ids,
  if(e.type = 'clicked' AND NOT ifNull(e.is_machine, false), e.occurred_at, NULL) AS clicked_at,
  clicked_at AS last_clicked_at,
  if(e.type = 'clicked' AND ifNull(e.is_machine, false), e.occurred_at, NULL) AS machine_clicked_at,
  machine_clicked_at AS last_machine_clicked_at,
  if(e.type = 'clicked' AND ifNull(NOT e.is_machine, false), [sipHash64(e.event_id)], []) AS person_click_ids,
  if(e.type = 'clicked' AND e.is_machine IS NULL, [sipHash64(e.event_id)], []) AS unjudged_click_ids,
  if(e.type = 'clicked' AND ifNull(e.is_machine, false), [sipHash64(e.event_id)], []) AS machine_click_ids,
  if(e.type = 'complained' AND ifNull(e.feedback_type, '') != 'not-spam', e.occurred_at, NULL) AS complained_at,
  if(e.type = 'complained' AND ifNull(e.feedback_type, '') != 'not-spam', ifNull(e.feedback_type, ''), '') AS feedback_type,
  if(e.type = 'unsubscribed', e.occurred_at, NULL) AS unsubscribed_at,
  if(e.type = 'unsubscribed' AND ifNull(e.scope, '') != '', [ifNull(e.scope, '')], []) AS unsubscribe_scopes
{{end}}
{{define of_messages}}
e.recipient_key != '' AND e.type NOT IN ('subscribed', 'other')
{{end}}
{{define message_columns}}
  esp String COMMENT 'Email service provider',
  recipient_domain String COMMENT 'Domain of the recipient',
  mailbox_provider String COMMENT 'Who runs the mailbox: gmail, outlook, yahoo, apple, gmx …; other: a domain that is not a provider’s own; empty: no domain',
  message_id String COMMENT 'RFC 5322 Message-ID; empty if no event says it',
  stream String COMMENT 'List, group or message stream; empty if no event says it',
  sender String COMMENT 'Sender address; empty if no event says it',
  sender_domain String COMMENT 'Domain of the sender, lower case; empty if no event says it',
  subject String COMMENT 'Subject; empty if no event says it',
  outcome String COMMENT 'How it ended: delivered, hard_bounced, soft_bounced, dropped; how it stands: deferred, queued; unknown: only a reaction is known. A bounce after a delivery counts as the end, a delivery after a bounce too',
  first_at DateTime64(3, 'UTC') COMMENT 'First event',
  last_at DateTime64(3, 'UTC') COMMENT 'Last event',
  queued_at Nullable(DateTime64(3, 'UTC')) COMMENT 'First time that the ESP said it has the message',
  delivered_at Nullable(DateTime64(3, 'UTC')) COMMENT 'First delivery, also if it bounced later',
  last_delivered_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Last delivery',
  deferrals UInt64 COMMENT 'How often it was deferred',
  deferred_at Nullable(DateTime64(3, 'UTC')) COMMENT 'First deferral',
  last_deferred_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Last deferral',
  dropped_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When the ESP decided not to attempt delivery',
  drop_reason String COMMENT 'Why the ESP did not attempt delivery',
  bounced UInt64 COMMENT 'How often it bounced',
  bounced_at Nullable(DateTime64(3, 'UTC')) COMMENT 'First bounce',
  last_bounced_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Last bounce',
  hard_bounced_at Nullable(DateTime64(3, 'UTC')) COMMENT 'First hard bounce',
  bounce_class String COMMENT 'Last bounce: hard, soft or undetermined, by the word of the ESP',
  bounce_category String COMMENT 'Last bounce: cause, e.g. invalid_mailbox, mailbox_full, policy, spam',
  enhanced_status String COMMENT 'Last bounce: enhanced status code (RFC 3463)',
  smtp_code Int32 COMMENT 'Last bounce: SMTP reply code; 0 if none',
  diagnostic String COMMENT 'Last bounce: reason in the words of the ESP or of the receiving server',
  opens UInt64 COMMENT 'Opens, those by machines excluded where the ESP tells them',
  unjudged_opens UInt64 COMMENT 'Of the opens: those of which the ESP does not say who did it',
  machine_opens UInt64 COMMENT 'Opens by machines, by the word of the ESP',
  opened_at Nullable(DateTime64(3, 'UTC')) COMMENT 'First of the opens',
  last_opened_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Last of the opens',
  machine_opened_at Nullable(DateTime64(3, 'UTC')) COMMENT 'First open by a machine',
  last_machine_opened_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Last open by a machine',
  clicks UInt64 COMMENT 'Clicks, those by machines excluded where the ESP tells them',
  unjudged_clicks UInt64 COMMENT 'Of the clicks: those of which the ESP does not say who did it',
  machine_clicks UInt64 COMMENT 'Clicks by machines, by the word of the ESP',
  clicked_at Nullable(DateTime64(3, 'UTC')) COMMENT 'First of the clicks',
  last_clicked_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Last of the clicks',
  machine_clicked_at Nullable(DateTime64(3, 'UTC')) COMMENT 'First click by a machine',
  last_machine_clicked_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Last click by a machine',
  complained_at Nullable(DateTime64(3, 'UTC')) COMMENT 'First complaint; a report that it is not spam is none',
  feedback_type String COMMENT 'Feedback type of the complaint (RFC 5965); empty if no event says it',
  unsubscribed_at Nullable(DateTime64(3, 'UTC')) COMMENT 'First unsubscribe',
  unsubscribe_scope String COMMENT 'all, or the stream that was left; of several, their names in order, with commas between'
{{end}}
{{define together}}
  max(s.esp) AS esp,
  max(s.recipient_domain) AS recipient_domain,
  {{mailbox_provider recipient_domain}} AS mailbox_provider,
  max(s.message_id) AS message_id,
  max(s.stream) AS stream,
  max(s.sender) AS sender,
  extract(lower(sender), '@([^@>\\s]+)>?\\s*$') AS sender_domain,
  max(s.subject) AS subject,
  multiIf(
    last_bounced_at IS NOT NULL AND (last_delivered_at IS NULL OR last_bounced_at >= last_delivered_at), if(hard_bounced_at IS NULL, 'soft_bounced', 'hard_bounced'),
    delivered_at IS NOT NULL, 'delivered',
    dropped_at IS NOT NULL, 'dropped',
    deferred_at IS NOT NULL, 'deferred',
    queued_at IS NOT NULL, 'queued',
    'unknown') AS outcome,
  min(s.first_at) AS first_at,
  max(s.last_at) AS last_at,
  min(s.queued_at) AS queued_at,
  min(s.delivered_at) AS delivered_at,
  max(s.last_delivered_at) AS last_delivered_at,
  length(groupUniqArrayArray(s.deferral_ids)) AS deferrals,
  min(s.deferred_at) AS deferred_at,
  max(s.last_deferred_at) AS last_deferred_at,
  min(s.dropped_at) AS dropped_at,
  max(s.drop_reason) AS drop_reason,
  length(all_bounces) AS bounced,
  min(s.bounced_at) AS bounced_at,
  max(s.last_bounced_at) AS last_bounced_at,
  min(s.hard_bounced_at) AS hard_bounced_at,
  last_bounce.3 AS bounce_class,
  last_bounce.4 AS bounce_category,
  last_bounce.5 AS enhanced_status,
  last_bounce.6 AS smtp_code,
  last_bounce.7 AS diagnostic,
  length(groupUniqArrayArray(s.person_open_ids)) + unjudged_opens AS opens,
  length(groupUniqArrayArray(s.unjudged_open_ids)) AS unjudged_opens,
  length(groupUniqArrayArray(s.machine_open_ids)) AS machine_opens,
  min(s.opened_at) AS opened_at,
  max(s.last_opened_at) AS last_opened_at,
  min(s.machine_opened_at) AS machine_opened_at,
  max(s.last_machine_opened_at) AS last_machine_opened_at,
  length(groupUniqArrayArray(s.person_click_ids)) + unjudged_clicks AS clicks,
  length(groupUniqArrayArray(s.unjudged_click_ids)) AS unjudged_clicks,
  length(groupUniqArrayArray(s.machine_click_ids)) AS machine_clicks,
  min(s.clicked_at) AS clicked_at,
  max(s.last_clicked_at) AS last_clicked_at,
  min(s.machine_clicked_at) AS machine_clicked_at,
  max(s.last_machine_clicked_at) AS last_machine_clicked_at,
  min(s.complained_at) AS complained_at,
  max(s.feedback_type) AS feedback_type,
  min(s.unsubscribed_at) AS unsubscribed_at,
  if(has(groupUniqArrayArray(s.unsubscribe_scopes), 'all'), 'all', arrayStringConcat(arraySort(groupUniqArrayArray(s.unsubscribe_scopes)), ', ')) AS unsubscribe_scope
{{end}}
-- A recipient of whom an event is marked is read from the events themselves: nothing can be taken out of a table that only adds up.
{{define steps}}
(
  SELECT * FROM {{database}}.message_states
  WHERE recipient_key NOT IN (SELECT recipient FROM {{database}}.event_marks_current)
  UNION ALL
  SELECT
{{step}}
  FROM {{database}}.email_events AS e
  WHERE {{of_messages}}
    AND e.recipient_key IN (SELECT recipient FROM {{database}}.event_marks_current)
    AND e.event_id NOT IN (SELECT event_id FROM {{database}}.event_marks_current)
)
{{end}}
CREATE TABLE IF NOT EXISTS {{database}}.message_states {{on_cluster}}
(
  campaign String COMMENT 'Campaign, as the events of this row say; empty if they say none',
  source String COMMENT 'Configured webhook that reported it',
  recipient_key String COMMENT 'Recipient key',
  message String COMMENT 'The id that the ESP has for the message, else its Message-ID; empty: none is named, and all that the recipient got of a campaign and variant is one',
  variant String COMMENT 'A/B variant; empty if none',
  esp SimpleAggregateFunction(max, LowCardinality(String)) COMMENT 'Email service provider',
  recipient_domain SimpleAggregateFunction(max, LowCardinality(String)) COMMENT 'Domain of the recipient',
  stream SimpleAggregateFunction(max, String) COMMENT 'List, group or message stream; empty if none',
  sender SimpleAggregateFunction(max, String) COMMENT 'Sender address; empty if no event says it',
  subject SimpleAggregateFunction(max, String) COMMENT 'Subject; empty if no event says it',
  message_id SimpleAggregateFunction(max, String) COMMENT 'RFC 5322 Message-ID; empty if no event says it',
  first_at SimpleAggregateFunction(min, DateTime64(3, 'UTC')) COMMENT 'First event',
  last_at SimpleAggregateFunction(max, DateTime64(3, 'UTC')) COMMENT 'Last event',
  queued_at SimpleAggregateFunction(min, Nullable(DateTime64(3, 'UTC'))) COMMENT 'First time that the ESP said it has the message',
  delivered_at SimpleAggregateFunction(min, Nullable(DateTime64(3, 'UTC'))) COMMENT 'First delivery',
  last_delivered_at SimpleAggregateFunction(max, Nullable(DateTime64(3, 'UTC'))) COMMENT 'Last delivery',
  deferred_at SimpleAggregateFunction(min, Nullable(DateTime64(3, 'UTC'))) COMMENT 'First deferral',
  last_deferred_at SimpleAggregateFunction(max, Nullable(DateTime64(3, 'UTC'))) COMMENT 'Last deferral',
  deferral_ids SimpleAggregateFunction(groupUniqArrayArray, Array(UInt64)) COMMENT 'Deferrals, as hashes of their event ids',
  dropped_at SimpleAggregateFunction(min, Nullable(DateTime64(3, 'UTC'))) COMMENT 'When the ESP decided not to attempt delivery',
  drop_reason SimpleAggregateFunction(max, String) COMMENT 'Why the ESP did not attempt delivery',
  bounced_at SimpleAggregateFunction(min, Nullable(DateTime64(3, 'UTC'))) COMMENT 'First bounce',
  last_bounced_at SimpleAggregateFunction(max, Nullable(DateTime64(3, 'UTC'))) COMMENT 'Last bounce',
  hard_bounced_at SimpleAggregateFunction(min, Nullable(DateTime64(3, 'UTC'))) COMMENT 'First hard bounce',
  bounces SimpleAggregateFunction(groupUniqArrayArray, Array(Tuple(at DateTime64(3, 'UTC'), event_id String, class String, category String, enhanced_status String, smtp_code Int32, diagnostic String))) COMMENT 'Bounces, each with its time, event, class, category, codes and words; what an event does not say is empty or 0',
  opened_at SimpleAggregateFunction(min, Nullable(DateTime64(3, 'UTC'))) COMMENT 'First open, machines excluded where the ESP tells them',
  last_opened_at SimpleAggregateFunction(max, Nullable(DateTime64(3, 'UTC'))) COMMENT 'Last open, machines excluded where the ESP tells them',
  machine_opened_at SimpleAggregateFunction(min, Nullable(DateTime64(3, 'UTC'))) COMMENT 'First open by a machine, by the word of the ESP',
  last_machine_opened_at SimpleAggregateFunction(max, Nullable(DateTime64(3, 'UTC'))) COMMENT 'Last open by a machine, by the word of the ESP',
  person_open_ids SimpleAggregateFunction(groupUniqArrayArray, Array(UInt64)) COMMENT 'Opens that the ESP says a person did, as hashes of their event ids',
  unjudged_open_ids SimpleAggregateFunction(groupUniqArrayArray, Array(UInt64)) COMMENT 'Opens of which the ESP does not say who did it, as hashes of their event ids',
  machine_open_ids SimpleAggregateFunction(groupUniqArrayArray, Array(UInt64)) COMMENT 'Opens that the ESP says a machine did, as hashes of their event ids',
  clicked_at SimpleAggregateFunction(min, Nullable(DateTime64(3, 'UTC'))) COMMENT 'First click, machines excluded where the ESP tells them',
  last_clicked_at SimpleAggregateFunction(max, Nullable(DateTime64(3, 'UTC'))) COMMENT 'Last click, machines excluded where the ESP tells them',
  machine_clicked_at SimpleAggregateFunction(min, Nullable(DateTime64(3, 'UTC'))) COMMENT 'First click by a machine, by the word of the ESP',
  last_machine_clicked_at SimpleAggregateFunction(max, Nullable(DateTime64(3, 'UTC'))) COMMENT 'Last click by a machine, by the word of the ESP',
  person_click_ids SimpleAggregateFunction(groupUniqArrayArray, Array(UInt64)) COMMENT 'Clicks that the ESP says a person did, as hashes of their event ids',
  unjudged_click_ids SimpleAggregateFunction(groupUniqArrayArray, Array(UInt64)) COMMENT 'Clicks of which the ESP does not say who did it, as hashes of their event ids',
  machine_click_ids SimpleAggregateFunction(groupUniqArrayArray, Array(UInt64)) COMMENT 'Clicks that the ESP says a machine did, as hashes of their event ids',
  complained_at SimpleAggregateFunction(min, Nullable(DateTime64(3, 'UTC'))) COMMENT 'First complaint; a report that it is not spam is none',
  feedback_type SimpleAggregateFunction(max, String) COMMENT 'Feedback type of the complaint (RFC 5965); empty if no event says it',
  unsubscribed_at SimpleAggregateFunction(min, Nullable(DateTime64(3, 'UTC'))) COMMENT 'First unsubscribe',
  unsubscribe_scopes SimpleAggregateFunction(groupUniqArrayArray, Array(String)) COMMENT 'all, and the streams that were left',
  INDEX by_recipient recipient_key TYPE bloom_filter(0.01) GRANULARITY 1,
  INDEX by_message message TYPE bloom_filter(0.01) GRANULARITY 1,
  INDEX by_message_id message_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = {{engine AggregatingMergeTree}}
PARTITION BY toYYYYMM(first_at)
ORDER BY (campaign, source, recipient_key, message, variant)
COMMENT 'What the events of a message say together, by month of the events: rows of one message are put together by the view messages';

CREATE MATERIALIZED VIEW IF NOT EXISTS {{database}}.message_states_mv {{on_cluster}}
TO {{database}}.message_states
AS SELECT
{{step}}
FROM {{database}}.email_events AS e
WHERE {{of_messages}};

INSERT INTO {{database}}.message_states
SELECT
{{step}}
FROM {{database}}.email_events AS e
WHERE {{of_messages}} AND {{each day of email_events}};

CREATE OR REPLACE VIEW {{database}}.messages {{on_cluster}}
(
  source String COMMENT 'Configured webhook that reported it',
  recipient_key String COMMENT 'Recipient key',
  message String COMMENT 'The id that the ESP has for the message, else its Message-ID; empty: none is named, and all that the recipient got of a campaign and variant is one',
  campaign String COMMENT 'Campaign; empty if no event says it',
  variant String COMMENT 'A/B variant; empty if no event says it',
{{message_columns}}
)
AS WITH arraySort(groupUniqArrayArray(s.bounces)) AS all_bounces, all_bounces[-1] AS last_bounce
SELECT
  source,
  recipient_key,
  message,
  max(s.campaign) AS campaign,
  max(s.variant) AS variant,
{{together}}
FROM {{steps}} AS s
GROUP BY source, recipient_key, message, if(message = '', s.campaign, ''), if(message = '', s.variant, '');

-- The same by what the table is sorted by, so that one campaign is found without reading the others.
CREATE OR REPLACE VIEW {{database}}.campaign_messages {{on_cluster}}
(
  campaign String COMMENT 'Campaign that the events name; empty: they name none',
  source String COMMENT 'Configured webhook that reported it',
  recipient_key String COMMENT 'Recipient key',
  message String COMMENT 'The id that the ESP has for the message, else its Message-ID; empty: none is named, and all that the recipient got of a campaign and variant is one',
  variant String COMMENT 'A/B variant that the events name; empty: they name none',
{{message_columns}}
)
AS WITH arraySort(groupUniqArrayArray(s.bounces)) AS all_bounces, all_bounces[-1] AS last_bounce
SELECT
  campaign,
  source,
  recipient_key,
  message,
  variant,
{{together}}
FROM {{steps}} AS s
GROUP BY campaign, source, recipient_key, message, variant;
