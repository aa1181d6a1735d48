-- Batches are smaller and more since they go as soon as they may: a table remembers the inserts of an hour and more, at the highest rate.
ALTER TABLE {{database}}.email_events {{on_cluster}}
  MODIFY SETTING {{deduplication}};

ALTER TABLE {{database}}.email_events_hourly {{on_cluster}}
  MODIFY SETTING {{deduplication}};

ALTER TABLE {{database}}.suppressions {{on_cluster}}
  MODIFY SETTING {{deduplication}};

ALTER TABLE {{database}}.dead_letters {{on_cluster}}
  MODIFY SETTING {{deduplication}};

ALTER TABLE {{database}}.event_marks {{on_cluster}}
  MODIFY SETTING {{deduplication}};

ALTER TABLE {{database}}.email_event_marks_hourly {{on_cluster}}
  MODIFY SETTING {{deduplication}};
