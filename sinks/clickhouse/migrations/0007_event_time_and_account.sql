-- What the typed events say besides since there are accounts and bounds of their time. Rows from before have the defaults: their times are
-- what the ESP said, and no source named an account.
ALTER TABLE {{database}}.email_events {{on_cluster}}
  ADD COLUMN IF NOT EXISTS occurred_at_source String DEFAULT 'esp' COMMENT 'Where occurred_at is from. esp: the ESP said so. received: it gave no readable time, so it is received_at. bounded: what it said is too far from received_at and was moved to the nearest time that is believed' AFTER occurred_at,
  ADD COLUMN IF NOT EXISTS occurred_at_said Nullable(String) COMMENT 'What the ESP said of the time, where that is not occurred_at; cut to 100 characters' AFTER occurred_at_source,
  ADD COLUMN IF NOT EXISTS account Nullable(String) COMMENT 'Account that the source belongs to, as configured; null if it names none' AFTER source;
