-- facts: version 1
-- What was asked of one recipient cost nearly nothing but planning: the view messages has some hundred expressions over sets of facts, and a branch more
-- for recipients of whom an event is marked. Here facts are rows, and three maps by their kind hold all times and counts.
{{define key}}
lowerUTF8(replaceRegexpAll({address:String}, '^\\s+|\\s+$', ''))
{{end}}
{{define marked}}
(SELECT groupArray(m.hash) FROM (SELECT sipHash64(event_id) AS hash FROM {{database}}.event_marks WHERE recipient = {{key}} GROUP BY event_id HAVING sum(change) > 0) AS m)
{{end}}
-- What a marked event alone says (a message, a time, a count) is not in it. A text that a marked event says of a message of which others count may be.
CREATE OR REPLACE VIEW {{database}}.recipient_messages {{on_cluster}}
AS WITH arraySort(arrayFilter(x -> x.3 = 'bounced', g.said))[-1] AS last_bounce,
  arraySort(arrayDistinct(arrayMap(x -> x.8, arrayFilter(x -> x.3 = 'unsubscribed' AND x.8 != '', g.said)))) AS scopes
SELECT
  source,
  recipient_key,
  message,
  g.campaign AS campaign,
  g.variant AS variant,
  g.esp AS esp,
  g.message_id AS message_id,
  g.subject AS subject,
  multiIf(
    g.last[{{kind bounced}}] != 0 AND g.last[{{kind bounced}}] >= g.last[{{kind delivered}}], if(g.last[{{kind hard_bounced}}] = 0, 'soft_bounced', 'hard_bounced'),
    g.last[{{kind delivered}}] != 0, 'delivered',
    g.last[{{kind dropped}}] != 0, 'dropped',
    g.last[{{kind deferred}}] != 0, 'deferred',
    g.last[{{kind queued}}] != 0, 'queued',
    'unknown') AS outcome,
  fromUnixTimestamp64Milli(g.first[{{kind any}}], 'UTC') AS first_at,
  fromUnixTimestamp64Milli(g.last[{{kind any}}], 'UTC') AS last_at,
  fromUnixTimestamp64Milli(nullIf(g.first[{{kind queued}}], 0), 'UTC') AS queued_at,
  fromUnixTimestamp64Milli(nullIf(g.first[{{kind delivered}}], 0), 'UTC') AS delivered_at,
  fromUnixTimestamp64Milli(nullIf(g.last[{{kind delivered}}], 0), 'UTC') AS last_delivered_at,
  g.ids[{{kind deferred}}] AS deferrals,
  fromUnixTimestamp64Milli(nullIf(g.last[{{kind deferred}}], 0), 'UTC') AS last_deferred_at,
  fromUnixTimestamp64Milli(nullIf(g.first[{{kind dropped}}], 0), 'UTC') AS dropped_at,
  arraySort(arrayMap(x -> x.8, arrayFilter(x -> x.3 = 'dropped', g.said)))[-1] AS drop_reason,
  fromUnixTimestamp64Milli(nullIf(g.last[{{kind bounced}}], 0), 'UTC') AS last_bounced_at,
  last_bounce.4 AS bounce_class,
  last_bounce.5 AS bounce_category,
  last_bounce.6 AS enhanced_status,
  last_bounce.7 AS smtp_code,
  last_bounce.8 AS diagnostic,
  g.ids[{{kind opened_by_person}}] AS opens,
  g.ids[{{kind opened}}] AS unjudged_opens,
  g.ids[{{kind opened_by_machine}}] AS machine_opens,
  fromUnixTimestamp64Milli(nullIf(g.first[{{kind opened_by_person}}], 0), 'UTC') AS opened_at,
  g.ids[{{kind clicked_by_person}}] AS clicks,
  g.ids[{{kind clicked}}] AS unjudged_clicks,
  g.ids[{{kind clicked_by_machine}}] AS machine_clicks,
  fromUnixTimestamp64Milli(nullIf(g.first[{{kind clicked_by_person}}], 0), 'UTC') AS clicked_at,
  fromUnixTimestamp64Milli(nullIf(g.first[{{kind complained}}], 0), 'UTC') AS complained_at,
  fromUnixTimestamp64Milli(nullIf(g.first[{{kind unsubscribed}}], 0), 'UTC') AS unsubscribed_at,
  if(has(scopes, 'all'), 'all', arrayStringConcat(scopes, ', ')) AS unsubscribe_scope
FROM
(
  WITH {{fact_kinds fact}} AS kinds
  SELECT
    source,
    recipient_key,
    message,
    max(f.campaign) AS campaign,
    max(f.variant) AS variant,
    max(f.esp) AS esp,
    max(f.message_id) AS message_id,
    max(f.subject) AS subject,
    minMap(mapFromArrays(kinds, arrayWithConstant(length(kinds), {{fact_time fact}}))) AS first,
    maxMap(mapFromArrays(kinds, arrayWithConstant(length(kinds), {{fact_time fact}}))) AS last,
    uniqExactMap(mapFromArrays(kinds, arrayWithConstant(length(kinds), toUInt64(fact)))) AS ids,
    arrayFilter(x -> NOT has({{marked}}, sipHash64(x.2)), groupUniqArrayArray(f.details)) AS said
  FROM {{database}}.message_facts AS f
  ARRAY JOIN f.facts AS fact
  WHERE recipient_key = {{key}} AND NOT has({{marked}}, toUInt64(fact))
  GROUP BY source, recipient_key, message, if(message = '', f.campaign, ''), if(message = '', f.variant, '')
) AS g;
