-- facts: version 1
-- mailbox providers: version 1
-- A message is the set of what its events say, each of them packed into 16 bytes (src/model/facts.ts), where message_states had 32 columns of minima,
-- maxima and sets: merging these was most of what a materialised view cost an insert, and most of what a report cost. As before, nothing depends
-- on the order of events nor on how often they come, so this table needs no memory of its inserts.
{{define details}}
Array(Tuple(at DateTime64(3, 'UTC'), event_id String, type String, class String, category String, enhanced_status String, smtp_code Int32, words String))
{{end}}
{{define step}}
  ifNull(e.campaign, '') AS campaign,
  e.source AS source,
  e.recipient_key AS recipient_key,
  -- Where no message is named, all that a recipient got of a campaign is one: the campaign is part of the key.
  coalesce(nullIf(e.esp_message_id, ''), nullIf(e.message_id, ''), '') AS message,
  ifNull(e.variant, '') AS variant,
  toString(e.esp) AS esp,
  toString(e.recipient_domain) AS recipient_domain,
  ifNull(e.stream, '') AS stream,
  ifNull(e.sender, '') AS sender,
  ifNull(e.subject, '') AS subject,
  ifNull(e.message_id, '') AS message_id,
  e.occurred_at AS first_at,
  [{{fact e}}] AS facts,
  if(e.type IN ('bounced', 'dropped', 'complained', 'unsubscribed'), [(e.occurred_at, e.event_id, toString(e.type), ifNull(e.bounce_class, ''), ifNull(e.bounce_category, ''), ifNull(e.enhanced_status, ''), ifNull(e.smtp_code, 0),
    multiIf(e.type = 'bounced', ifNull(e.diagnostic, ''), e.type = 'dropped', ifNull(e.drop_reason, ''), e.type = 'unsubscribed', ifNull(e.scope, ''), ifNull(e.feedback_type, '')))]::{{details}}, []) AS details
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
-- What all rows of a message say together.
{{define together}}
    max(s.esp) AS esp,
    max(s.recipient_domain) AS recipient_domain,
    max(s.message_id) AS message_id,
    max(s.stream) AS stream,
    max(s.sender) AS sender,
    max(s.subject) AS subject,
    min(s.first_at) AS first_at,
    groupUniqArrayArray(s.facts) AS f,
    groupUniqArrayArray(s.details) AS d
{{end}}
{{define times}}
  {{fact_times queued}} AS queued,
  {{fact_times delivered}} AS delivered,
  {{fact_times deferred}} AS deferred,
  {{fact_times dropped}} AS dropped,
  {{fact_times bounced hard_bounced}} AS bounce_times,
  {{fact_times hard_bounced}} AS hard_bounces,
  {{fact_times opened_by_person opened}} AS opened,
  {{fact_times opened_by_machine}} AS machine_opened,
  {{fact_times clicked_by_person clicked}} AS clicked,
  {{fact_times clicked_by_machine}} AS machine_clicked,
  {{fact_times complained}} AS complained,
  {{fact_times unsubscribed}} AS unsubscribed,
  arraySort(arrayFilter(x -> x.3 = 'bounced', d)) AS all_bounces,
  all_bounces[-1] AS last_bounce,
  arraySort(arrayDistinct(arrayMap(x -> x.8, arrayFilter(x -> x.3 = 'unsubscribed' AND x.8 != '', d)))) AS scopes
{{end}}
{{define figures}}
  g.esp AS esp,
  g.recipient_domain AS recipient_domain,
  {{mailbox_provider g.recipient_domain}} AS mailbox_provider,
  g.message_id AS message_id,
  g.stream AS stream,
  g.sender AS sender,
  extract(lower(g.sender), '@([^@>\\s]+)>?\\s*$') AS sender_domain,
  g.subject AS subject,
  multiIf(
    notEmpty(bounce_times) AND (empty(delivered) OR arrayMax(bounce_times) >= arrayMax(delivered)), if(empty(hard_bounces), 'soft_bounced', 'hard_bounced'),
    notEmpty(delivered), 'delivered',
    notEmpty(dropped), 'dropped',
    notEmpty(deferred), 'deferred',
    notEmpty(queued), 'queued',
    'unknown') AS outcome,
  g.first_at AS first_at,
  fromUnixTimestamp64Milli(arrayMax({{fact_times any}}), 'UTC') AS last_at,
  {{earliest queued}} AS queued_at,
  {{earliest delivered}} AS delivered_at,
  {{latest delivered}} AS last_delivered_at,
  {{fact_count deferred}} AS deferrals,
  {{earliest deferred}} AS deferred_at,
  {{latest deferred}} AS last_deferred_at,
  {{earliest dropped}} AS dropped_at,
  -- Of several the last in the alphabet, as of all texts.
  arraySort(arrayMap(x -> x.8, arrayFilter(x -> x.3 = 'dropped', d)))[-1] AS drop_reason,
  length(all_bounces) AS bounced,
  {{earliest bounce_times}} AS bounced_at,
  {{latest bounce_times}} AS last_bounced_at,
  {{earliest hard_bounces}} AS hard_bounced_at,
  last_bounce.4 AS bounce_class,
  last_bounce.5 AS bounce_category,
  last_bounce.6 AS enhanced_status,
  last_bounce.7 AS smtp_code,
  last_bounce.8 AS diagnostic,
  {{fact_count opened_by_person opened}} AS opens,
  {{fact_count opened}} AS unjudged_opens,
  {{fact_count opened_by_machine}} AS machine_opens,
  {{earliest opened}} AS opened_at,
  {{latest opened}} AS last_opened_at,
  {{earliest machine_opened}} AS machine_opened_at,
  {{latest machine_opened}} AS last_machine_opened_at,
  {{fact_count clicked_by_person clicked}} AS clicks,
  {{fact_count clicked}} AS unjudged_clicks,
  {{fact_count clicked_by_machine}} AS machine_clicks,
  {{earliest clicked}} AS clicked_at,
  {{latest clicked}} AS last_clicked_at,
  {{earliest machine_clicked}} AS machine_clicked_at,
  {{latest machine_clicked}} AS last_machine_clicked_at,
  {{earliest complained}} AS complained_at,
  arraySort(arrayMap(x -> x.8, arrayFilter(x -> x.3 = 'complained' AND x.8 != 'not-spam', d)))[-1] AS feedback_type,
  {{earliest unsubscribed}} AS unsubscribed_at,
  if(has(scopes, 'all'), 'all', arrayStringConcat(scopes, ', ')) AS unsubscribe_scope
{{end}}
-- A recipient of whom an event is marked is read from the events themselves: nothing can be taken out of a table that only adds up.
{{define steps}}
(
    SELECT * FROM {{database}}.message_facts
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
CREATE TABLE IF NOT EXISTS {{database}}.message_facts {{on_cluster}}
(
  campaign String COMMENT 'Campaign, as the events of this row say; empty if they say none',
  source String COMMENT 'Configured webhook that reported it',
  recipient_key String COMMENT 'Recipient key',
  message String COMMENT 'The id that the ESP has for the message, else its Message-ID; empty: none is named, and all that the recipient got of a campaign and variant is one',
  variant String COMMENT 'A/B variant; empty if none',
  esp SimpleAggregateFunction(max, String) COMMENT 'Email service provider',
  recipient_domain SimpleAggregateFunction(max, String) COMMENT 'Domain of the recipient',
  stream SimpleAggregateFunction(max, String) COMMENT 'List, group or message stream; empty if none',
  sender SimpleAggregateFunction(max, String) COMMENT 'Sender address; empty if no event says it',
  subject SimpleAggregateFunction(max, String) COMMENT 'Subject; empty if no event says it',
  message_id SimpleAggregateFunction(max, String) COMMENT 'RFC 5322 Message-ID; empty if no event says it',
  first_at SimpleAggregateFunction(min, DateTime64(3, 'UTC')) COMMENT 'First event',
  facts SimpleAggregateFunction(groupUniqArrayArray, Array(UInt128)) COMMENT 'Its events, packed: kind, time and hash of the id. Read the views messages and campaign_messages, which unpack them',
  details SimpleAggregateFunction(groupUniqArrayArray, {{details}}) COMMENT 'Bounces, drops, complaints and unsubscribes: time, event, type, of a bounce its class, category and codes; words: diagnostic, drop reason, feedback type or scope',
  INDEX by_recipient recipient_key TYPE bloom_filter(0.01) GRANULARITY 1,
  INDEX by_message message TYPE bloom_filter(0.01) GRANULARITY 1,
  INDEX by_message_id message_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = {{engine AggregatingMergeTree}}
PARTITION BY toYYYYMM(first_at)
ORDER BY (campaign, source, recipient_key, message, variant)
COMMENT 'What the events of a message say together, by month of the events: rows of one message are put together by the view messages';

CREATE MATERIALIZED VIEW IF NOT EXISTS {{database}}.message_facts_mv {{on_cluster}}
TO {{database}}.message_facts
AS SELECT
{{step}}
FROM {{database}}.email_events AS e
WHERE {{of_messages}};

INSERT INTO {{database}}.message_facts
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
AS WITH
{{times}}
SELECT
  source,
  recipient_key,
  message,
  campaign,
  variant,
{{figures}}
FROM
(
  SELECT
    source,
    recipient_key,
    message,
    max(s.campaign) AS campaign,
    max(s.variant) AS variant,
{{together}}
  FROM {{steps}} AS s
  GROUP BY source, recipient_key, message, if(message = '', s.campaign, ''), if(message = '', s.variant, '')
) AS g;

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
AS WITH
{{times}}
SELECT
  campaign,
  source,
  recipient_key,
  message,
  variant,
{{figures}}
FROM
(
  SELECT
    campaign,
    source,
    recipient_key,
    message,
    variant,
{{together}}
  FROM {{steps}} AS s
  GROUP BY campaign, source, recipient_key, message, variant
) AS g;

-- What was a table is a view of the same columns: releases before this one look there for a message by its id. Its rows are not put together here
-- either: those of one message are several, until they are merged.
DROP VIEW IF EXISTS {{database}}.message_states_mv {{on_cluster}} SYNC;

CREATE OR REPLACE VIEW {{database}}.message_states {{on_cluster}}
(
  campaign String COMMENT 'Campaign, as the events of this row say; empty if they say none',
  source String COMMENT 'Configured webhook that reported it',
  recipient_key String COMMENT 'Recipient key',
  message String COMMENT 'The id that the ESP has for the message, else its Message-ID; empty: none is named, and all that the recipient got of a campaign and variant is one',
  variant String COMMENT 'A/B variant; empty if none',
  esp String COMMENT 'Email service provider',
  recipient_domain String COMMENT 'Domain of the recipient',
  stream String COMMENT 'List, group or message stream; empty if none',
  sender String COMMENT 'Sender address; empty if no event says it',
  subject String COMMENT 'Subject; empty if no event says it',
  message_id String COMMENT 'RFC 5322 Message-ID; empty if no event says it',
  first_at DateTime64(3, 'UTC') COMMENT 'First event',
  last_at DateTime64(3, 'UTC') COMMENT 'Last event',
  queued_at Nullable(DateTime64(3, 'UTC')) COMMENT 'First time that the ESP said it has the message',
  delivered_at Nullable(DateTime64(3, 'UTC')) COMMENT 'First delivery',
  last_delivered_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Last delivery',
  deferred_at Nullable(DateTime64(3, 'UTC')) COMMENT 'First deferral',
  last_deferred_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Last deferral',
  deferral_ids Array(UInt64) COMMENT 'Deferrals, as hashes of their event ids',
  dropped_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When the ESP decided not to attempt delivery',
  drop_reason String COMMENT 'Why the ESP did not attempt delivery',
  bounced_at Nullable(DateTime64(3, 'UTC')) COMMENT 'First bounce',
  last_bounced_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Last bounce',
  hard_bounced_at Nullable(DateTime64(3, 'UTC')) COMMENT 'First hard bounce',
  bounces Array(Tuple(at DateTime64(3, 'UTC'), event_id String, class String, category String, enhanced_status String, smtp_code Int32, diagnostic String)) COMMENT 'Bounces, each with its time, event, class, category, codes and words; what an event does not say is empty or 0',
  opened_at Nullable(DateTime64(3, 'UTC')) COMMENT 'First open, machines excluded where the ESP tells them',
  last_opened_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Last open, machines excluded where the ESP tells them',
  machine_opened_at Nullable(DateTime64(3, 'UTC')) COMMENT 'First open by a machine, by the word of the ESP',
  last_machine_opened_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Last open by a machine, by the word of the ESP',
  person_open_ids Array(UInt64) COMMENT 'Opens that the ESP says a person did, as hashes of their event ids',
  unjudged_open_ids Array(UInt64) COMMENT 'Opens of which the ESP does not say who did it, as hashes of their event ids',
  machine_open_ids Array(UInt64) COMMENT 'Opens that the ESP says a machine did, as hashes of their event ids',
  clicked_at Nullable(DateTime64(3, 'UTC')) COMMENT 'First click, machines excluded where the ESP tells them',
  last_clicked_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Last click, machines excluded where the ESP tells them',
  machine_clicked_at Nullable(DateTime64(3, 'UTC')) COMMENT 'First click by a machine, by the word of the ESP',
  last_machine_clicked_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Last click by a machine, by the word of the ESP',
  person_click_ids Array(UInt64) COMMENT 'Clicks that the ESP says a person did, as hashes of their event ids',
  unjudged_click_ids Array(UInt64) COMMENT 'Clicks of which the ESP does not say who did it, as hashes of their event ids',
  machine_click_ids Array(UInt64) COMMENT 'Clicks that the ESP says a machine did, as hashes of their event ids',
  complained_at Nullable(DateTime64(3, 'UTC')) COMMENT 'First complaint; a report that it is not spam is none',
  feedback_type String COMMENT 'Feedback type of the complaint (RFC 5965); empty if no event says it',
  unsubscribed_at Nullable(DateTime64(3, 'UTC')) COMMENT 'First unsubscribe',
  unsubscribe_scopes Array(String) COMMENT 'all, and the streams that were left'
)
AS WITH
{{times}}
SELECT
  campaign,
  source,
  recipient_key,
  message,
  variant,
  g.esp AS esp,
  g.recipient_domain AS recipient_domain,
  g.stream AS stream,
  g.sender AS sender,
  g.subject AS subject,
  g.message_id AS message_id,
  g.first_at AS first_at,
  fromUnixTimestamp64Milli(arrayMax({{fact_times any}}), 'UTC') AS last_at,
  {{earliest queued}} AS queued_at,
  {{earliest delivered}} AS delivered_at,
  {{latest delivered}} AS last_delivered_at,
  {{earliest deferred}} AS deferred_at,
  {{latest deferred}} AS last_deferred_at,
  {{fact_ids deferred}} AS deferral_ids,
  {{earliest dropped}} AS dropped_at,
  arraySort(arrayMap(x -> x.8, arrayFilter(x -> x.3 = 'dropped', d)))[-1] AS drop_reason,
  {{earliest bounce_times}} AS bounced_at,
  {{latest bounce_times}} AS last_bounced_at,
  {{earliest hard_bounces}} AS hard_bounced_at,
  arrayMap(x -> (x.1, x.2, x.4, x.5, x.6, x.7, x.8), all_bounces) AS bounces,
  {{earliest opened}} AS opened_at,
  {{latest opened}} AS last_opened_at,
  {{earliest machine_opened}} AS machine_opened_at,
  {{latest machine_opened}} AS last_machine_opened_at,
  {{fact_ids opened_by_person}} AS person_open_ids,
  {{fact_ids opened}} AS unjudged_open_ids,
  {{fact_ids opened_by_machine}} AS machine_open_ids,
  {{earliest clicked}} AS clicked_at,
  {{latest clicked}} AS last_clicked_at,
  {{earliest machine_clicked}} AS machine_clicked_at,
  {{latest machine_clicked}} AS last_machine_clicked_at,
  {{fact_ids clicked_by_person}} AS person_click_ids,
  {{fact_ids clicked}} AS unjudged_click_ids,
  {{fact_ids clicked_by_machine}} AS machine_click_ids,
  {{earliest complained}} AS complained_at,
  arraySort(arrayMap(x -> x.8, arrayFilter(x -> x.3 = 'complained' AND x.8 != 'not-spam', d)))[-1] AS feedback_type,
  {{earliest unsubscribed}} AS unsubscribed_at,
  scopes AS unsubscribe_scopes
FROM
(
  SELECT campaign, source, recipient_key, message, variant, esp, recipient_domain, stream, sender, subject, message_id, first_at, facts AS f, details AS d
  FROM {{database}}.message_facts
) AS g;
