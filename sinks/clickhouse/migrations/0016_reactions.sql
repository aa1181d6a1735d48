-- reaction rules: version 1
-- Who opened, clicked and unsubscribed, by signs of our own (src/model/reaction-rules.ts) beside the verdict of the ESP. Judged when it is read:
-- an insert costs what it did, and other thresholds hold for all history at once.
CREATE TABLE IF NOT EXISTS {{database}}.reaction_settings {{on_cluster}}
(
  name String COMMENT 'Threshold or weight, as METRICS.md lists them',
  value Float64 COMMENT 'Its value in this installation',
  changed_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') COMMENT 'When it was set; the latest holds'
)
ENGINE = {{engine MergeTree}}
ORDER BY name
SETTINGS {{deduplication}}
COMMENT 'Thresholds and weights by which opens and clicks are judged, where they are not the defaults';

CREATE OR REPLACE VIEW {{database}}.reactions {{on_cluster}}
(
  campaign String COMMENT 'Campaign; empty if the event names none',
  variant String COMMENT 'A/B variant; empty if none',
  source String COMMENT 'Configured webhook that reported it',
  esp String COMMENT 'Email service provider',
  recipient_key String COMMENT 'Recipient key',
  mailbox_provider String COMMENT 'Who runs the mailbox: gmail, outlook, yahoo, apple, gmx …; other: a domain that is not a provider’s own',
  message String COMMENT 'What names the message in the view messages; empty if the ESP names none',
  type String COMMENT 'opened, clicked or unsubscribed',
  occurred_at DateTime64(3, 'UTC') COMMENT 'When it happened',
  event_id String COMMENT 'The event',
  esp_verdict String COMMENT 'By the word of the ESP: person, machine, or empty: it does not say',
  verdict String COMMENT 'By our signs: person, machine or uncertain',
  score Float64 COMMENT 'Sum of the weights of the signs: high is a machine',
  reasons Array(String) COMMENT 'The signs: agent_scanner, agent_prefetch, at_once, soon, before_delivery, links_at_once, click_without_open, later, agent_client; none: nothing speaks for either',
  seconds_after_delivery Nullable(Float64) COMMENT 'Seconds since the first delivery of the message; null if none is known',
  links_near UInt64 COMMENT 'clicked, unsubscribed: different links of the message that were clicked about then',
  agent_kind String COMMENT 'scanner, prefetch, proxy, client, or empty: unknown',
  user_agent String COMMENT 'User agent; empty if none',
  url String COMMENT 'clicked: link',
  rules_version UInt16 COMMENT 'Version of the rules'
)
AS WITH
  {{setting at_once_seconds}} AS at_once_seconds,
  {{setting soon_seconds}} AS soon_seconds,
  {{setting many_links}} AS many_links,
  {{setting links_seconds}} AS links_seconds,
  [
    ('agent_scanner', agent_kind = 'scanner', {{setting agent_scanner}}),
    ('agent_prefetch', agent_kind = 'prefetch', {{setting agent_prefetch}}),
    ('at_once', ifNull(seconds_after_delivery >= 0 AND seconds_after_delivery < at_once_seconds, false), {{setting at_once}}),
    ('soon', ifNull(seconds_after_delivery >= at_once_seconds AND seconds_after_delivery < soon_seconds, false), {{setting soon}}),
    ('before_delivery', ifNull(seconds_after_delivery < 0, false), {{setting before_delivery}}),
    ('links_at_once', links_near >= many_links, {{setting links_at_once}}),
    ('click_without_open', r.3 = 'clicked' AND NOT g.was_opened, {{setting click_without_open}}),
    ('later', ifNull(seconds_after_delivery >= soon_seconds, false), {{setting later}}),
    ('agent_client', agent_kind = 'client', {{setting agent_client}})
  ] AS signs,
  arrayFilter(s -> s.2, signs) AS shown
SELECT
  g.campaign AS campaign,
  g.variant AS variant,
  g.source AS source,
  g.esp AS esp,
  g.recipient_key AS recipient_key,
  g.mailbox_provider AS mailbox_provider,
  g.message AS message,
  r.3 AS type,
  r.1 AS occurred_at,
  r.2 AS event_id,
  r.6 AS esp_verdict,
  multiIf(empty(shown), 'uncertain', score >= {{setting machine_at}}, 'machine', score <= {{setting person_at}}, 'person', 'uncertain') AS verdict,
  arraySum(s -> s.3, shown) AS score,
  arrayMap(s -> s.1, shown) AS reasons,
  if(g.delivered_at IS NULL, NULL, dateDiff('millisecond', g.delivered_at, r.1) / 1000) AS seconds_after_delivery,
  if(r.3 != 'opened', length(arrayDistinct(arrayMap(c -> c.2, arrayFilter(c -> abs(dateDiff('millisecond', c.1, r.1)) <= links_seconds * 1000, g.clicks)))), 0) AS links_near,
  {{agent_kind r.5}} AS agent_kind,
  r.5 AS user_agent,
  r.4 AS url,
  toUInt16(1) AS rules_version
FROM
(
  SELECT
    ifNull(e.campaign, '') AS campaign,
    ifNull(e.variant, '') AS variant,
    e.source AS source,
    e.esp AS esp,
    e.recipient_key AS recipient_key,
    any(e.mailbox_provider) AS mailbox_provider,
    coalesce(nullIf(e.esp_message_id, ''), nullIf(e.message_id, ''), '') AS message,
    minOrNullIf(e.occurred_at, e.type = 'delivered') AS delivered_at,
    countIf(e.type = 'opened') > 0 AS was_opened,
    groupUniqArrayIf((e.occurred_at, e.event_id, toString(e.type), ifNull(e.url, ''), ifNull(e.user_agent, ''), multiIf(e.is_machine IS NULL, '', e.is_machine, 'machine', 'person')), e.type IN ('opened', 'clicked', 'unsubscribed')) AS all_reactions,
    -- The first thousand: of a message with more, clicks that come later are not held against each other.
    arraySlice(arraySort(groupUniqArrayIf((e.occurred_at, ifNull(e.url, '')), e.type = 'clicked')), 1, 1000) AS clicks
  FROM {{database}}.email_events AS e
  WHERE e.type IN ('delivered', 'opened', 'clicked', 'unsubscribed') AND e.event_id NOT IN (SELECT event_id FROM {{database}}.event_marks_current)
  GROUP BY campaign, variant, source, esp, recipient_key, message
) AS g
ARRAY JOIN g.all_reactions AS r;

CREATE OR REPLACE VIEW {{database}}.campaign_reactions {{on_cluster}}
(
  campaign String COMMENT 'Campaign; empty: events that name none',
  variant String COMMENT 'A/B variant; empty if none',
  source String COMMENT 'Configured webhook that reported it',
  esp String COMMENT 'Email service provider',
  type String COMMENT 'opened, clicked or unsubscribed',
  events UInt64 COMMENT 'Opens, clicks or unsubscribes',
  by_person UInt64 COMMENT 'Of these: by a person, by our signs',
  by_machine UInt64 COMMENT 'Of these: by a machine, by our signs',
  uncertain UInt64 COMMENT 'Of these: nothing decides',
  esp_says_person UInt64 COMMENT 'Of these: by a person, by the word of the ESP',
  esp_says_machine UInt64 COMMENT 'Of these: by a machine, by the word of the ESP',
  contradictions UInt64 COMMENT 'Of these: we say the one, the ESP the other',
  recipients_person UInt64 COMMENT 'Different recipients of whom one is by a person, by our signs; exactly',
  recipients_machine_only UInt64 COMMENT 'Different recipients of whom all are by machines, by our signs; exactly'
)
AS SELECT
  campaign, variant, source, esp, type,
  sum(p.events) AS events,
  sum(p.by_person) AS by_person,
  sum(p.by_machine) AS by_machine,
  sum(p.uncertain) AS uncertain,
  sum(p.esp_says_person) AS esp_says_person,
  sum(p.esp_says_machine) AS esp_says_machine,
  sum(p.contradictions) AS contradictions,
  countIf(p.by_person > 0) AS recipients_person,
  countIf(p.by_machine = p.events) AS recipients_machine_only
FROM
(
  SELECT
    campaign, variant, source, esp, type, recipient_key,
    count() AS events,
    countIf(r.verdict = 'person') AS by_person,
    countIf(r.verdict = 'machine') AS by_machine,
    countIf(r.verdict = 'uncertain') AS uncertain,
    countIf(r.esp_verdict = 'person') AS esp_says_person,
    countIf(r.esp_verdict = 'machine') AS esp_says_machine,
    countIf((r.verdict, r.esp_verdict) IN (('person', 'machine'), ('machine', 'person'))) AS contradictions
  FROM {{database}}.reactions AS r
  GROUP BY campaign, variant, source, esp, type, recipient_key
) AS p
GROUP BY campaign, variant, source, esp, type;

-- Whoever is in it may not have meant it: scanners follow every link of a message, the one by which a list is left too.
CREATE OR REPLACE VIEW {{database}}.doubtful_unsubscribes {{on_cluster}}
(
  recipient_key String COMMENT 'Recipient key',
  occurred_at DateTime64(3, 'UTC') COMMENT 'When it was unsubscribed',
  campaign String COMMENT 'Campaign; empty if the event names none',
  source String COMMENT 'Configured webhook that reported it',
  esp String COMMENT 'Email service provider',
  message String COMMENT 'What names the message in the view messages; empty if the ESP names none',
  verdict String COMMENT 'By our signs: machine or uncertain',
  score Float64 COMMENT 'Sum of the weights of the signs: high is a machine',
  reasons Array(String) COMMENT 'The signs, as in the view reactions; never empty',
  user_agent String COMMENT 'User agent; empty if none',
  event_id String COMMENT 'The event'
)
AS SELECT recipient_key, occurred_at, campaign, source, esp, message, r.verdict AS verdict, r.score AS score, r.reasons AS reasons, r.user_agent AS user_agent, event_id
FROM {{database}}.reactions AS r
WHERE r.type = 'unsubscribed' AND r.verdict != 'person' AND r.score > 0;
