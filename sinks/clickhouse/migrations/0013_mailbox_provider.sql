-- mailbox providers: version 1
-- Who runs the recipient's mailbox, computed from the domain when it is read: nothing is stored, and a new version of the table of providers
-- (src/model/mailbox-providers.ts) holds for all rows there are. A query that does not ask for it pays nothing.
ALTER TABLE {{database}}.email_events {{on_cluster}}
  ADD COLUMN IF NOT EXISTS mailbox_provider LowCardinality(String) ALIAS {{mailbox_provider recipient_domain}} COMMENT 'Who runs the mailbox: gmail, outlook, yahoo, apple, gmx …; other: a domain that is not a provider’s own; empty: no domain';

ALTER TABLE {{database}}.email_events_hourly {{on_cluster}}
  ADD COLUMN IF NOT EXISTS mailbox_provider LowCardinality(String) ALIAS {{mailbox_provider recipient_domain}} COMMENT 'Who runs the mailbox: gmail, outlook, yahoo, apple, gmx …; other: a domain that is not a provider’s own; empty: no domain';

ALTER TABLE {{database}}.email_event_marks_hourly {{on_cluster}}
  ADD COLUMN IF NOT EXISTS mailbox_provider LowCardinality(String) ALIAS {{mailbox_provider recipient_domain}} COMMENT 'Who runs the mailbox: gmail, outlook, yahoo, apple, gmx …; other: a domain that is not a provider’s own; empty: no domain';

CREATE OR REPLACE VIEW {{database}}.events_hourly {{on_cluster}}
(
  hour DateTime('UTC') COMMENT 'Hour in which the events happened',
  type LowCardinality(String) COMMENT 'Event type',
  esp LowCardinality(String) COMMENT 'Email service provider',
  source String COMMENT 'Configured webhook',
  stream String COMMENT 'List, group or message stream; empty if none',
  campaign String COMMENT 'Campaign; empty if none',
  variant String COMMENT 'A/B variant; empty if none',
  recipient_domain LowCardinality(String) COMMENT 'Domain of the recipient',
  mailbox_provider LowCardinality(String) COMMENT 'Who runs the mailbox: gmail, outlook, yahoo, apple, gmx …; other: a domain that is not a provider’s own; empty: no domain',
  bounce_class String COMMENT 'bounced: hard, soft or undetermined; else empty',
  is_machine Bool COMMENT 'opened, clicked: a machine did it; else false',
  events Int64 COMMENT 'Number of events that count',
  marked Int64 COMMENT 'Number of events that an operator marked: they do not count'
)
AS SELECT hour, type, esp, source, stream, campaign, variant, recipient_domain, r.provider AS mailbox_provider, bounce_class, is_machine,
  sum(r.n) - sum(r.m) AS events,
  sum(r.m) AS marked
FROM
(
  SELECT hour, type, esp, source, stream, campaign, variant, recipient_domain, mailbox_provider AS provider, bounce_class, is_machine, toInt64(h.events) AS n, toInt64(0) AS m
  FROM {{database}}.email_events_hourly AS h
  UNION ALL
  SELECT hour, type, esp, source, stream, campaign, variant, recipient_domain, mailbox_provider AS provider, bounce_class, is_machine, toInt64(0) AS n, h.marked AS m
  FROM {{database}}.email_event_marks_hourly AS h
) AS r
GROUP BY hour, type, esp, source, stream, campaign, variant, recipient_domain, mailbox_provider, bounce_class, is_machine;
