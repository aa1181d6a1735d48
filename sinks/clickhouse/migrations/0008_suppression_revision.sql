-- Which account gave a reason, and the order of the states of a recipient. The accounts are a list of their own, since a tuple that is
-- stored cannot get a member; the view puts them where they belong. Still no version column: the row inserted last wins, as before.
ALTER TABLE {{database}}.suppressions {{on_cluster}}
  ADD COLUMN IF NOT EXISTS reason_accounts Array(Nullable(String)) COMMENT 'Account of each of the reasons, in their order; null if its source names none; empty in rows from before accounts were told apart' AFTER reasons,
  ADD COLUMN IF NOT EXISTS revision Int64 COMMENT 'Orders the states of a recipient: grows with each; 0 in rows from before there were revisions' AFTER event_id;

CREATE OR REPLACE VIEW {{database}}.suppressions_current {{on_cluster}}
(
  recipient String COMMENT 'Recipient key',
  suppressed Bool COMMENT 'True: send nothing to this recipient',
  reasons Array(Tuple(reason LowCardinality(String), scope String, since DateTime64(3, 'UTC'), esp LowCardinality(String), source LowCardinality(String), event_id String, detail Nullable(String), account Nullable(String))) COMMENT 'Active reasons; scope is all, a stream, or account:<name> for all streams of an account',
  changed_at DateTime64(3, 'UTC') COMMENT 'When the event that led to this state occurred',
  revision Int64 COMMENT 'Orders the states of a recipient'
)
AS SELECT
  recipient,
  suppressed,
  arrayMap(
    (r, account) -> (r.reason, r.scope, r.since, r.esp, r.source, r.event_id, r.detail, account)::Tuple(reason LowCardinality(String), scope String, since DateTime64(3, 'UTC'), esp LowCardinality(String), source LowCardinality(String), event_id String, detail Nullable(String), account Nullable(String)),
    reasons,
    arrayResize(reason_accounts, length(reasons))
  ) AS reasons,
  changed_at,
  revision
FROM {{database}}.suppressions FINAL
WHERE NOT is_deleted;
