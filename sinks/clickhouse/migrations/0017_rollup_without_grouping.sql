-- The rollup's table sums rows of one key as they are inserted (optimize_on_insert), and has to sort them for that anyway. Grouping them before was
-- done twice, and cost an insert more than all the rest of the rollup.
ALTER TABLE {{database}}.email_events_hourly_mv {{on_cluster}} MODIFY QUERY
SELECT
  -- The hour is a 32-bit time: what a wrong clock puts outside of it goes to its ends.
  toStartOfHour(toDateTime(least(greatest(occurred_at, toDateTime64('1970-01-01 00:00:00', 3, 'UTC')), toDateTime64('2105-12-31 23:00:00', 3, 'UTC')), 'UTC'), 'UTC') AS hour,
  type,
  esp,
  source,
  ifNull(stream, '') AS stream,
  ifNull(campaign, '') AS campaign,
  ifNull(variant, '') AS variant,
  recipient_domain,
  ifNull(bounce_class, '') AS bounce_class,
  ifNull(is_machine, false) AS is_machine,
  toUInt64(1) AS events
FROM {{database}}.email_events;
