-- A view's rows of an insert that comes again are known by the insert's token and by the view's id. After ALTER TABLE of a materialised view the server
-- takes the view's name for its id, and after its next start the UUID: an insert that was repeated across that start (killed before it had
-- answered, say) was counted twice in the rollup. A view that is renamed is known by its UUID again, at once, and gets every insert meanwhile.
-- Seen with 26.7. IF EXISTS: a migration that was ended in between is run again.
RENAME TABLE IF EXISTS {{database}}.email_events_hourly_mv TO {{database}}.email_events_hourly_renamed_mv {{on_cluster}};
RENAME TABLE IF EXISTS {{database}}.email_events_hourly_renamed_mv TO {{database}}.email_events_hourly_mv {{on_cluster}};
