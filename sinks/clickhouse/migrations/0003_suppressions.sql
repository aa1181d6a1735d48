-- No version column: the sink writes the states of a recipient in the order of the topic, and the row inserted last wins.
CREATE TABLE IF NOT EXISTS {{database}}.suppressions {{on_cluster}}
(
  recipient String COMMENT 'Recipient key: address in lower case with its domain in ASCII form',
  suppressed Bool COMMENT 'True: send nothing to this recipient',
  reasons Array(Tuple(
    reason LowCardinality(String),
    scope String,
    since DateTime64(3, 'UTC'),
    esp LowCardinality(String),
    source LowCardinality(String),
    event_id String,
    detail Nullable(String)
  )) COMMENT 'Active reasons: why, for which scope (all or a stream), since when, who reported it, by which event; empty if nothing is suppressed',
  changed_at DateTime64(3, 'UTC') COMMENT 'When the event that led to this state occurred',
  event_id String COMMENT 'Event that led to this state',
  is_deleted Bool COMMENT 'True: the recipient was erased',
  inserted_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') COMMENT 'When the row was inserted'
)
ENGINE = {{engine ReplacingMergeTree}}
ORDER BY recipient
SETTINGS {{deduplication}}
COMMENT 'Suppression states by recipient; read them through suppressions_current';

CREATE VIEW IF NOT EXISTS {{database}}.suppressions_current {{on_cluster}}
(
  recipient String COMMENT 'Recipient key',
  suppressed Bool COMMENT 'True: send nothing to this recipient',
  reasons Array(Tuple(reason LowCardinality(String), scope String, since DateTime64(3, 'UTC'), esp LowCardinality(String), source LowCardinality(String), event_id String, detail Nullable(String))) COMMENT 'Active reasons',
  changed_at DateTime64(3, 'UTC') COMMENT 'When the event that led to this state occurred'
)
AS SELECT recipient, suppressed, reasons, changed_at
FROM {{database}}.suppressions FINAL
WHERE NOT is_deleted;
