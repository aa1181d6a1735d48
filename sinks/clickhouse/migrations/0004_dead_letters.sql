-- Bytes are stored as base64, since inserts are JSON; key, value and item show them as they were.
CREATE TABLE IF NOT EXISTS {{database}}.dead_letters {{on_cluster}}
(
  stage LowCardinality(String) COMMENT 'Stage that gave up: normalize, events, sink-clickhouse …',
  code LowCardinality(String) COMMENT 'Error code',
  message String COMMENT 'What was wrong',
  attempts Int32 COMMENT 'How often it was tried',
  first_at DateTime64(3, 'UTC') COMMENT 'Time of the first failure',
  last_at DateTime64(3, 'UTC') COMMENT 'Time of the last failure',
  origin_topic LowCardinality(String) COMMENT 'Topic of the original record',
  origin_partition Int32 COMMENT 'Partition of the original record',
  origin_offset Int64 COMMENT 'Offset of the original record',
  item_index Nullable(Int32) COMMENT 'Which item of the record; null: the whole record',
  esp LowCardinality(Nullable(String)) COMMENT 'ESP, if known',
  source LowCardinality(Nullable(String)) COMMENT 'Configured webhook, if known',
  request_id Nullable(String) COMMENT 'Request id, if known',
  item_base64 Nullable(String) COMMENT 'Bytes of the bad item, where it could be cut out' CODEC(ZSTD(3)),
  key_base64 Nullable(String) COMMENT 'Key of the original record' CODEC(ZSTD(3)),
  value_base64 Nullable(String) COMMENT 'Value of the original record; null when the dead letter of its first bad item carries it' CODEC(ZSTD(3)),
  headers_base64 Map(LowCardinality(String), String) COMMENT 'Headers of the original record',
  inserted_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') COMMENT 'When the row was inserted',
  item Nullable(String) ALIAS base64Decode(item_base64) COMMENT 'item_base64, decoded',
  key Nullable(String) ALIAS base64Decode(key_base64) COMMENT 'key_base64, decoded',
  value Nullable(String) ALIAS base64Decode(value_base64) COMMENT 'value_base64, decoded',
  headers Map(LowCardinality(String), String) ALIAS mapApply((name, bytes) -> (name, base64Decode(bytes)), headers_base64) COMMENT 'headers_base64, decoded'
)
ENGINE = {{engine ReplacingMergeTree}}
ORDER BY (stage, origin_topic, origin_partition, origin_offset, ifNull(item_index, -1))
SETTINGS {{deduplication}}
COMMENT 'What a stage could not process; a record that failed again replaces its earlier row';
