-- What became of a dead letter. No version column: the newest record of a letter comes last in its partition of the topic,
-- the sink writes in that order, and the row inserted last wins.
ALTER TABLE {{database}}.dead_letters {{on_cluster}}
  ADD COLUMN IF NOT EXISTS recorded_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Time at which the original record was written to its topic' AFTER last_at,
  ADD COLUMN IF NOT EXISTS status LowCardinality(String) DEFAULT 'open' COMMENT 'open, replayed or discarded' AFTER recorded_at,
  ADD COLUMN IF NOT EXISTS status_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When an operator replayed or discarded it' AFTER status,
  ADD COLUMN IF NOT EXISTS replays Int32 COMMENT 'How often it was replayed' AFTER status_at,
  ADD COLUMN IF NOT EXISTS note Nullable(String) COMMENT 'Why an operator discarded it' AFTER replays;
