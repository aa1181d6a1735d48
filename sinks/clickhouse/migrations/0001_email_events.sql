-- One row per event: everything the typed topics say, under the same names.
-- LowCardinality only where every report groups: each such column costs as much to insert and to merge as several plain ones.
CREATE TABLE IF NOT EXISTS {{database}}.email_events {{on_cluster}}
(
  event_id String COMMENT '32 hex digits; the same for every copy of the same event',
  type LowCardinality(String) COMMENT 'queued, delivered, deferred, bounced, dropped, opened, clicked, complained, unsubscribed, subscribed or other',
  occurred_at DateTime64(3, 'UTC') COMMENT 'When it happened, by the clock of the ESP',
  received_at DateTime64(3, 'UTC') COMMENT 'When the ingress received the request that reported it',
  esp LowCardinality(String) COMMENT 'Email service provider, e.g. sendgrid',
  source String COMMENT 'Configured webhook that reported it: the last part of the webhook URL',
  esp_event_type String COMMENT 'The name that the ESP has for this event type',
  esp_event_id Nullable(String) COMMENT 'The id that the ESP has for this event, if it gives one',
  esp_message_id Nullable(String) COMMENT 'The id that the ESP has for the message: what its send API returned',
  message_id Nullable(String) COMMENT 'RFC 5322 Message-ID without angle brackets',
  recipient String COMMENT 'Recipient address as the ESP wrote it, trimmed; empty for an event that has no recipient',
  recipient_key String COMMENT 'Recipient address in lower case with its domain in ASCII form: one value per person and address, use it to count and to join',
  recipient_domain LowCardinality(String) COMMENT 'Domain of the recipient, lower case, ASCII form',
  sender Nullable(String) COMMENT 'Sender address',
  subject Nullable(String) COMMENT 'Subject of the message',
  campaign Nullable(String) COMMENT 'Campaign name or id',
  variant Nullable(String) COMMENT 'A/B variant of the campaign',
  stream Nullable(String) COMMENT 'List, group or message stream',
  tags Array(String) COMMENT 'Tags or categories',
  metadata Map(String, String) COMMENT 'Key-value data of the sender; values that were not text are JSON text',
  request_id String COMMENT 'Id of the HTTP request that reported it (UUIDv7, the X-Request-Id of the answer)',
  raw_partition Int32 COMMENT 'Partition of email.raw that holds the bytes of the request',
  raw_offset Int64 COMMENT 'Offset in that partition',
  item_index Int32 COMMENT 'Position of the event in the request, from 0',
  smtp_response Nullable(String) COMMENT 'delivered: answer of the receiving server',
  remote_mta Nullable(String) COMMENT 'delivered, bounced: host name of the receiving server',
  attempt Nullable(Int32) COMMENT 'deferred: number of the delivery attempt, from 1',
  smtp_code Nullable(Int32) COMMENT 'deferred, bounced: SMTP reply code, e.g. 550',
  enhanced_status Nullable(String) COMMENT 'deferred, bounced: enhanced status code (RFC 3463), e.g. 5.1.1',
  diagnostic Nullable(String) COMMENT 'deferred, bounced, dropped: reason in the words of the ESP or of the receiving server',
  bounce_class Nullable(String) COMMENT 'bounced: hard (the address is bad for good), soft (it may work later, or the message was refused) or undetermined',
  bounce_category Nullable(String) COMMENT 'bounced: cause, e.g. invalid_mailbox, mailbox_full, policy, spam',
  drop_reason Nullable(String) COMMENT 'dropped: why the ESP did not attempt delivery',
  user_agent Nullable(String) COMMENT 'opened, clicked, unsubscribed, subscribed: user agent of the client of the recipient or of its proxy',
  ip Nullable(String) COMMENT 'opened, clicked, unsubscribed, subscribed: IP address of that client or proxy',
  is_machine Nullable(Bool) COMMENT 'opened, clicked: true if a machine did it (privacy proxy, prefetch, scanner), false if the ESP says a person did, null if the ESP does not say',
  url Nullable(String) COMMENT 'clicked: link that was clicked',
  feedback_type Nullable(String) COMMENT 'complained: feedback type (RFC 5965), e.g. abuse',
  scope Nullable(String) COMMENT 'unsubscribed, subscribed: all, or the name of the stream that was left or joined',
  method Nullable(String) COMMENT 'unsubscribed, subscribed: how, in the words of the ESP',
  payload Nullable(String) COMMENT 'other: the item of the ESP as JSON text' CODEC(ZSTD(3)),
  inserted_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') COMMENT 'When the row was inserted',
  INDEX by_recipient recipient_key TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = {{engine MergeTree}}
PARTITION BY toYYYYMM(occurred_at)
ORDER BY (type, esp, toStartOfHour(occurred_at), recipient_key, event_id)
SETTINGS {{deduplication}}
COMMENT 'Every email event, exactly once';
