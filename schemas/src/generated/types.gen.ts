// Generated from schemas/avro by `npm run gen`. Do not edit.

/** The ESP accepted the message for sending. */
export interface EmailQueued {
  /** 32 hex digits; the same for every copy of the same event, so it is the key to deduplicate by. */
  event_id: string;
  /** When it happened, by the ESP's clock. */
  occurred_at: number;
  /** When the ingress received the request that reported it. */
  received_at: number;
  /** Email service provider, e.g. sendgrid. */
  esp: string;
  /** Configured webhook that reported it: the last part of the webhook URL. */
  source: string;
  /** The ESP's own name of the event type. */
  esp_event_type: string;
  /** The ESP's id of this event, if it gives one. */
  esp_event_id: null | string;
  /** The ESP's id of the message: what its send API returned. */
  esp_message_id: null | string;
  /** RFC 5322 Message-ID without angle brackets. */
  message_id: null | string;
  /** Recipient address as the ESP wrote it, trimmed. Empty for an event that has no recipient. */
  recipient: string;
  /** Domain of the recipient, lower case, ASCII form. */
  recipient_domain: string;
  /** Sender address. */
  sender: null | string;
  /** Subject of the message. */
  subject: null | string;
  /** Campaign name or id. */
  campaign: null | string;
  /** A/B variant of the campaign. */
  variant: null | string;
  /** List, group or message stream. */
  stream: null | string;
  /** Tags or categories. */
  tags: string[];
  /** The sender's own key-value data; values that were not text are JSON text. */
  metadata: { [key: string]: string };
  /** Id of the HTTP request that reported it (UUIDv7, the X-Request-Id of the answer). */
  request_id: string;
  /** Partition of email.raw that holds the request's bytes. */
  raw_partition: number;
  /** Offset in that partition. */
  raw_offset: number;
  /** Position of the event in the request, from 0. */
  item_index: number;
}

/** The receiving server accepted the message. */
export interface EmailDelivered {
  /** 32 hex digits; the same for every copy of the same event, so it is the key to deduplicate by. */
  event_id: string;
  /** When it happened, by the ESP's clock. */
  occurred_at: number;
  /** When the ingress received the request that reported it. */
  received_at: number;
  /** Email service provider, e.g. sendgrid. */
  esp: string;
  /** Configured webhook that reported it: the last part of the webhook URL. */
  source: string;
  /** The ESP's own name of the event type. */
  esp_event_type: string;
  /** The ESP's id of this event, if it gives one. */
  esp_event_id: null | string;
  /** The ESP's id of the message: what its send API returned. */
  esp_message_id: null | string;
  /** RFC 5322 Message-ID without angle brackets. */
  message_id: null | string;
  /** Recipient address as the ESP wrote it, trimmed. Empty for an event that has no recipient. */
  recipient: string;
  /** Domain of the recipient, lower case, ASCII form. */
  recipient_domain: string;
  /** Sender address. */
  sender: null | string;
  /** Subject of the message. */
  subject: null | string;
  /** Campaign name or id. */
  campaign: null | string;
  /** A/B variant of the campaign. */
  variant: null | string;
  /** List, group or message stream. */
  stream: null | string;
  /** Tags or categories. */
  tags: string[];
  /** The sender's own key-value data; values that were not text are JSON text. */
  metadata: { [key: string]: string };
  /** Id of the HTTP request that reported it (UUIDv7, the X-Request-Id of the answer). */
  request_id: string;
  /** Partition of email.raw that holds the request's bytes. */
  raw_partition: number;
  /** Offset in that partition. */
  raw_offset: number;
  /** Position of the event in the request, from 0. */
  item_index: number;
  /** Answer of the receiving server. */
  smtp_response: null | string;
  /** Host name of the receiving server. */
  remote_mta: null | string;
}

/** Delivery failed for now; the ESP will try again. */
export interface EmailDeferred {
  /** 32 hex digits; the same for every copy of the same event, so it is the key to deduplicate by. */
  event_id: string;
  /** When it happened, by the ESP's clock. */
  occurred_at: number;
  /** When the ingress received the request that reported it. */
  received_at: number;
  /** Email service provider, e.g. sendgrid. */
  esp: string;
  /** Configured webhook that reported it: the last part of the webhook URL. */
  source: string;
  /** The ESP's own name of the event type. */
  esp_event_type: string;
  /** The ESP's id of this event, if it gives one. */
  esp_event_id: null | string;
  /** The ESP's id of the message: what its send API returned. */
  esp_message_id: null | string;
  /** RFC 5322 Message-ID without angle brackets. */
  message_id: null | string;
  /** Recipient address as the ESP wrote it, trimmed. Empty for an event that has no recipient. */
  recipient: string;
  /** Domain of the recipient, lower case, ASCII form. */
  recipient_domain: string;
  /** Sender address. */
  sender: null | string;
  /** Subject of the message. */
  subject: null | string;
  /** Campaign name or id. */
  campaign: null | string;
  /** A/B variant of the campaign. */
  variant: null | string;
  /** List, group or message stream. */
  stream: null | string;
  /** Tags or categories. */
  tags: string[];
  /** The sender's own key-value data; values that were not text are JSON text. */
  metadata: { [key: string]: string };
  /** Id of the HTTP request that reported it (UUIDv7, the X-Request-Id of the answer). */
  request_id: string;
  /** Partition of email.raw that holds the request's bytes. */
  raw_partition: number;
  /** Offset in that partition. */
  raw_offset: number;
  /** Position of the event in the request, from 0. */
  item_index: number;
  /** Number of the delivery attempt, from 1. */
  attempt: null | number;
  /** SMTP reply code, e.g. 550. */
  smtp_code: null | number;
  /** Enhanced status code (RFC 3463), e.g. 5.1.1. */
  enhanced_status: null | string;
  /** Reason in the words of the ESP or of the receiving server. */
  diagnostic: null | string;
}

/** Delivery failed and the ESP gave up. */
export interface EmailBounced {
  /** 32 hex digits; the same for every copy of the same event, so it is the key to deduplicate by. */
  event_id: string;
  /** When it happened, by the ESP's clock. */
  occurred_at: number;
  /** When the ingress received the request that reported it. */
  received_at: number;
  /** Email service provider, e.g. sendgrid. */
  esp: string;
  /** Configured webhook that reported it: the last part of the webhook URL. */
  source: string;
  /** The ESP's own name of the event type. */
  esp_event_type: string;
  /** The ESP's id of this event, if it gives one. */
  esp_event_id: null | string;
  /** The ESP's id of the message: what its send API returned. */
  esp_message_id: null | string;
  /** RFC 5322 Message-ID without angle brackets. */
  message_id: null | string;
  /** Recipient address as the ESP wrote it, trimmed. Empty for an event that has no recipient. */
  recipient: string;
  /** Domain of the recipient, lower case, ASCII form. */
  recipient_domain: string;
  /** Sender address. */
  sender: null | string;
  /** Subject of the message. */
  subject: null | string;
  /** Campaign name or id. */
  campaign: null | string;
  /** A/B variant of the campaign. */
  variant: null | string;
  /** List, group or message stream. */
  stream: null | string;
  /** Tags or categories. */
  tags: string[];
  /** The sender's own key-value data; values that were not text are JSON text. */
  metadata: { [key: string]: string };
  /** Id of the HTTP request that reported it (UUIDv7, the X-Request-Id of the answer). */
  request_id: string;
  /** Partition of email.raw that holds the request's bytes. */
  raw_partition: number;
  /** Offset in that partition. */
  raw_offset: number;
  /** Position of the event in the request, from 0. */
  item_index: number;
  /** hard: the address is bad for good. soft: it may work later, or the message was refused. undetermined: the ESP does not say. */
  bounce_class: 'hard' | 'soft' | 'undetermined';
  /** Cause of the bounce. */
  bounce_category: 'invalid_mailbox' | 'mailbox_full' | 'domain_not_found' | 'policy' | 'spam' | 'content' | 'too_large' | 'timeout' | 'relay' | 'other';
  /** SMTP reply code, e.g. 550. */
  smtp_code: null | number;
  /** Enhanced status code (RFC 3463), e.g. 5.1.1. */
  enhanced_status: null | string;
  /** Reason in the words of the ESP or of the receiving server. */
  diagnostic: null | string;
  /** Host name of the receiving server. */
  remote_mta: null | string;
}

/** The ESP did not attempt delivery. */
export interface EmailDropped {
  /** 32 hex digits; the same for every copy of the same event, so it is the key to deduplicate by. */
  event_id: string;
  /** When it happened, by the ESP's clock. */
  occurred_at: number;
  /** When the ingress received the request that reported it. */
  received_at: number;
  /** Email service provider, e.g. sendgrid. */
  esp: string;
  /** Configured webhook that reported it: the last part of the webhook URL. */
  source: string;
  /** The ESP's own name of the event type. */
  esp_event_type: string;
  /** The ESP's id of this event, if it gives one. */
  esp_event_id: null | string;
  /** The ESP's id of the message: what its send API returned. */
  esp_message_id: null | string;
  /** RFC 5322 Message-ID without angle brackets. */
  message_id: null | string;
  /** Recipient address as the ESP wrote it, trimmed. Empty for an event that has no recipient. */
  recipient: string;
  /** Domain of the recipient, lower case, ASCII form. */
  recipient_domain: string;
  /** Sender address. */
  sender: null | string;
  /** Subject of the message. */
  subject: null | string;
  /** Campaign name or id. */
  campaign: null | string;
  /** A/B variant of the campaign. */
  variant: null | string;
  /** List, group or message stream. */
  stream: null | string;
  /** Tags or categories. */
  tags: string[];
  /** The sender's own key-value data; values that were not text are JSON text. */
  metadata: { [key: string]: string };
  /** Id of the HTTP request that reported it (UUIDv7, the X-Request-Id of the answer). */
  request_id: string;
  /** Partition of email.raw that holds the request's bytes. */
  raw_partition: number;
  /** Offset in that partition. */
  raw_offset: number;
  /** Position of the event in the request, from 0. */
  item_index: number;
  /** Why the ESP did not attempt delivery. */
  drop_reason: 'bounced' | 'unsubscribed' | 'complained' | 'invalid' | 'spam' | 'expired' | 'content' | 'other';
  /** Reason in the words of the ESP or of the receiving server. */
  diagnostic: null | string;
}

/** The message was opened. */
export interface EmailOpened {
  /** 32 hex digits; the same for every copy of the same event, so it is the key to deduplicate by. */
  event_id: string;
  /** When it happened, by the ESP's clock. */
  occurred_at: number;
  /** When the ingress received the request that reported it. */
  received_at: number;
  /** Email service provider, e.g. sendgrid. */
  esp: string;
  /** Configured webhook that reported it: the last part of the webhook URL. */
  source: string;
  /** The ESP's own name of the event type. */
  esp_event_type: string;
  /** The ESP's id of this event, if it gives one. */
  esp_event_id: null | string;
  /** The ESP's id of the message: what its send API returned. */
  esp_message_id: null | string;
  /** RFC 5322 Message-ID without angle brackets. */
  message_id: null | string;
  /** Recipient address as the ESP wrote it, trimmed. Empty for an event that has no recipient. */
  recipient: string;
  /** Domain of the recipient, lower case, ASCII form. */
  recipient_domain: string;
  /** Sender address. */
  sender: null | string;
  /** Subject of the message. */
  subject: null | string;
  /** Campaign name or id. */
  campaign: null | string;
  /** A/B variant of the campaign. */
  variant: null | string;
  /** List, group or message stream. */
  stream: null | string;
  /** Tags or categories. */
  tags: string[];
  /** The sender's own key-value data; values that were not text are JSON text. */
  metadata: { [key: string]: string };
  /** Id of the HTTP request that reported it (UUIDv7, the X-Request-Id of the answer). */
  request_id: string;
  /** Partition of email.raw that holds the request's bytes. */
  raw_partition: number;
  /** Offset in that partition. */
  raw_offset: number;
  /** Position of the event in the request, from 0. */
  item_index: number;
  /** User agent of the recipient's client or of its proxy. */
  user_agent: null | string;
  /** IP address of the recipient's client or of its proxy. */
  ip: null | string;
  /** True: a machine did it (privacy proxy, prefetch, scanner). False: the ESP says a person did. Null: the ESP does not say. */
  is_machine: null | boolean;
}

/** A link in the message was clicked. */
export interface EmailClicked {
  /** 32 hex digits; the same for every copy of the same event, so it is the key to deduplicate by. */
  event_id: string;
  /** When it happened, by the ESP's clock. */
  occurred_at: number;
  /** When the ingress received the request that reported it. */
  received_at: number;
  /** Email service provider, e.g. sendgrid. */
  esp: string;
  /** Configured webhook that reported it: the last part of the webhook URL. */
  source: string;
  /** The ESP's own name of the event type. */
  esp_event_type: string;
  /** The ESP's id of this event, if it gives one. */
  esp_event_id: null | string;
  /** The ESP's id of the message: what its send API returned. */
  esp_message_id: null | string;
  /** RFC 5322 Message-ID without angle brackets. */
  message_id: null | string;
  /** Recipient address as the ESP wrote it, trimmed. Empty for an event that has no recipient. */
  recipient: string;
  /** Domain of the recipient, lower case, ASCII form. */
  recipient_domain: string;
  /** Sender address. */
  sender: null | string;
  /** Subject of the message. */
  subject: null | string;
  /** Campaign name or id. */
  campaign: null | string;
  /** A/B variant of the campaign. */
  variant: null | string;
  /** List, group or message stream. */
  stream: null | string;
  /** Tags or categories. */
  tags: string[];
  /** The sender's own key-value data; values that were not text are JSON text. */
  metadata: { [key: string]: string };
  /** Id of the HTTP request that reported it (UUIDv7, the X-Request-Id of the answer). */
  request_id: string;
  /** Partition of email.raw that holds the request's bytes. */
  raw_partition: number;
  /** Offset in that partition. */
  raw_offset: number;
  /** Position of the event in the request, from 0. */
  item_index: number;
  /** Link that was clicked. */
  url: null | string;
  /** User agent of the recipient's client or of its proxy. */
  user_agent: null | string;
  /** IP address of the recipient's client or of its proxy. */
  ip: null | string;
  /** True: a machine did it (privacy proxy, prefetch, scanner). False: the ESP says a person did. Null: the ESP does not say. */
  is_machine: null | boolean;
}

/** The recipient reported the message as spam. */
export interface EmailComplained {
  /** 32 hex digits; the same for every copy of the same event, so it is the key to deduplicate by. */
  event_id: string;
  /** When it happened, by the ESP's clock. */
  occurred_at: number;
  /** When the ingress received the request that reported it. */
  received_at: number;
  /** Email service provider, e.g. sendgrid. */
  esp: string;
  /** Configured webhook that reported it: the last part of the webhook URL. */
  source: string;
  /** The ESP's own name of the event type. */
  esp_event_type: string;
  /** The ESP's id of this event, if it gives one. */
  esp_event_id: null | string;
  /** The ESP's id of the message: what its send API returned. */
  esp_message_id: null | string;
  /** RFC 5322 Message-ID without angle brackets. */
  message_id: null | string;
  /** Recipient address as the ESP wrote it, trimmed. Empty for an event that has no recipient. */
  recipient: string;
  /** Domain of the recipient, lower case, ASCII form. */
  recipient_domain: string;
  /** Sender address. */
  sender: null | string;
  /** Subject of the message. */
  subject: null | string;
  /** Campaign name or id. */
  campaign: null | string;
  /** A/B variant of the campaign. */
  variant: null | string;
  /** List, group or message stream. */
  stream: null | string;
  /** Tags or categories. */
  tags: string[];
  /** The sender's own key-value data; values that were not text are JSON text. */
  metadata: { [key: string]: string };
  /** Id of the HTTP request that reported it (UUIDv7, the X-Request-Id of the answer). */
  request_id: string;
  /** Partition of email.raw that holds the request's bytes. */
  raw_partition: number;
  /** Offset in that partition. */
  raw_offset: number;
  /** Position of the event in the request, from 0. */
  item_index: number;
  /** Feedback type of the complaint (RFC 5965), e.g. abuse, not-spam. */
  feedback_type: null | string;
}

/** The recipient left all mail or one stream. */
export interface EmailUnsubscribed {
  /** 32 hex digits; the same for every copy of the same event, so it is the key to deduplicate by. */
  event_id: string;
  /** When it happened, by the ESP's clock. */
  occurred_at: number;
  /** When the ingress received the request that reported it. */
  received_at: number;
  /** Email service provider, e.g. sendgrid. */
  esp: string;
  /** Configured webhook that reported it: the last part of the webhook URL. */
  source: string;
  /** The ESP's own name of the event type. */
  esp_event_type: string;
  /** The ESP's id of this event, if it gives one. */
  esp_event_id: null | string;
  /** The ESP's id of the message: what its send API returned. */
  esp_message_id: null | string;
  /** RFC 5322 Message-ID without angle brackets. */
  message_id: null | string;
  /** Recipient address as the ESP wrote it, trimmed. Empty for an event that has no recipient. */
  recipient: string;
  /** Domain of the recipient, lower case, ASCII form. */
  recipient_domain: string;
  /** Sender address. */
  sender: null | string;
  /** Subject of the message. */
  subject: null | string;
  /** Campaign name or id. */
  campaign: null | string;
  /** A/B variant of the campaign. */
  variant: null | string;
  /** List, group or message stream. */
  stream: null | string;
  /** Tags or categories. */
  tags: string[];
  /** The sender's own key-value data; values that were not text are JSON text. */
  metadata: { [key: string]: string };
  /** Id of the HTTP request that reported it (UUIDv7, the X-Request-Id of the answer). */
  request_id: string;
  /** Partition of email.raw that holds the request's bytes. */
  raw_partition: number;
  /** Offset in that partition. */
  raw_offset: number;
  /** Position of the event in the request, from 0. */
  item_index: number;
  /** all, or the name of the stream that was left or joined. */
  scope: string;
  /** How: link, list_unsubscribe, api, manual …, in the ESP's words. */
  method: null | string;
  /** User agent of the recipient's client or of its proxy. */
  user_agent: null | string;
  /** IP address of the recipient's client or of its proxy. */
  ip: null | string;
}

/** The recipient came back to all mail or to one stream. */
export interface EmailSubscribed {
  /** 32 hex digits; the same for every copy of the same event, so it is the key to deduplicate by. */
  event_id: string;
  /** When it happened, by the ESP's clock. */
  occurred_at: number;
  /** When the ingress received the request that reported it. */
  received_at: number;
  /** Email service provider, e.g. sendgrid. */
  esp: string;
  /** Configured webhook that reported it: the last part of the webhook URL. */
  source: string;
  /** The ESP's own name of the event type. */
  esp_event_type: string;
  /** The ESP's id of this event, if it gives one. */
  esp_event_id: null | string;
  /** The ESP's id of the message: what its send API returned. */
  esp_message_id: null | string;
  /** RFC 5322 Message-ID without angle brackets. */
  message_id: null | string;
  /** Recipient address as the ESP wrote it, trimmed. Empty for an event that has no recipient. */
  recipient: string;
  /** Domain of the recipient, lower case, ASCII form. */
  recipient_domain: string;
  /** Sender address. */
  sender: null | string;
  /** Subject of the message. */
  subject: null | string;
  /** Campaign name or id. */
  campaign: null | string;
  /** A/B variant of the campaign. */
  variant: null | string;
  /** List, group or message stream. */
  stream: null | string;
  /** Tags or categories. */
  tags: string[];
  /** The sender's own key-value data; values that were not text are JSON text. */
  metadata: { [key: string]: string };
  /** Id of the HTTP request that reported it (UUIDv7, the X-Request-Id of the answer). */
  request_id: string;
  /** Partition of email.raw that holds the request's bytes. */
  raw_partition: number;
  /** Offset in that partition. */
  raw_offset: number;
  /** Position of the event in the request, from 0. */
  item_index: number;
  /** all, or the name of the stream that was left or joined. */
  scope: string;
  /** How: link, list_unsubscribe, api, manual …, in the ESP's words. */
  method: null | string;
  /** User agent of the recipient's client or of its proxy. */
  user_agent: null | string;
  /** IP address of the recipient's client or of its proxy. */
  ip: null | string;
}

/** Anything else the ESP reported. */
export interface EmailOther {
  /** 32 hex digits; the same for every copy of the same event, so it is the key to deduplicate by. */
  event_id: string;
  /** When it happened, by the ESP's clock. */
  occurred_at: number;
  /** When the ingress received the request that reported it. */
  received_at: number;
  /** Email service provider, e.g. sendgrid. */
  esp: string;
  /** Configured webhook that reported it: the last part of the webhook URL. */
  source: string;
  /** The ESP's own name of the event type. */
  esp_event_type: string;
  /** The ESP's id of this event, if it gives one. */
  esp_event_id: null | string;
  /** The ESP's id of the message: what its send API returned. */
  esp_message_id: null | string;
  /** RFC 5322 Message-ID without angle brackets. */
  message_id: null | string;
  /** Recipient address as the ESP wrote it, trimmed. Empty for an event that has no recipient. */
  recipient: string;
  /** Domain of the recipient, lower case, ASCII form. */
  recipient_domain: string;
  /** Sender address. */
  sender: null | string;
  /** Subject of the message. */
  subject: null | string;
  /** Campaign name or id. */
  campaign: null | string;
  /** A/B variant of the campaign. */
  variant: null | string;
  /** List, group or message stream. */
  stream: null | string;
  /** Tags or categories. */
  tags: string[];
  /** The sender's own key-value data; values that were not text are JSON text. */
  metadata: { [key: string]: string };
  /** Id of the HTTP request that reported it (UUIDv7, the X-Request-Id of the answer). */
  request_id: string;
  /** Partition of email.raw that holds the request's bytes. */
  raw_partition: number;
  /** Offset in that partition. */
  raw_offset: number;
  /** Position of the event in the request, from 0. */
  item_index: number;
  /** The ESP's item as JSON text. */
  payload: string;
}

/** An event of any type. */
export interface EmailEvent {
  /** Event type. */
  type: 'queued' | 'delivered' | 'deferred' | 'bounced' | 'dropped' | 'opened' | 'clicked' | 'complained' | 'unsubscribed' | 'subscribed' | 'other';
  /** 32 hex digits; the same for every copy of the same event, so it is the key to deduplicate by. */
  event_id: string;
  /** When it happened, by the ESP's clock. */
  occurred_at: number;
  /** When the ingress received the request that reported it. */
  received_at: number;
  /** Email service provider, e.g. sendgrid. */
  esp: string;
  /** Configured webhook that reported it: the last part of the webhook URL. */
  source: string;
  /** The ESP's own name of the event type. */
  esp_event_type: string;
  /** The ESP's id of this event, if it gives one. */
  esp_event_id: null | string;
  /** The ESP's id of the message: what its send API returned. */
  esp_message_id: null | string;
  /** RFC 5322 Message-ID without angle brackets. */
  message_id: null | string;
  /** Recipient address as the ESP wrote it, trimmed. Empty for an event that has no recipient. */
  recipient: string;
  /** Domain of the recipient, lower case, ASCII form. */
  recipient_domain: string;
  /** Sender address. */
  sender: null | string;
  /** Subject of the message. */
  subject: null | string;
  /** Campaign name or id. */
  campaign: null | string;
  /** A/B variant of the campaign. */
  variant: null | string;
  /** List, group or message stream. */
  stream: null | string;
  /** Tags or categories. */
  tags: string[];
  /** The sender's own key-value data; values that were not text are JSON text. */
  metadata: { [key: string]: string };
  /** Id of the HTTP request that reported it (UUIDv7, the X-Request-Id of the answer). */
  request_id: string;
  /** Partition of email.raw that holds the request's bytes. */
  raw_partition: number;
  /** Offset in that partition. */
  raw_offset: number;
  /** Position of the event in the request, from 0. */
  item_index: number;
  /** Answer of the receiving server. */
  smtp_response: null | string;
  /** Host name of the receiving server. */
  remote_mta: null | string;
  /** Number of the delivery attempt, from 1. */
  attempt: null | number;
  /** SMTP reply code, e.g. 550. */
  smtp_code: null | number;
  /** Enhanced status code (RFC 3463), e.g. 5.1.1. */
  enhanced_status: null | string;
  /** Reason in the words of the ESP or of the receiving server. */
  diagnostic: null | string;
  /** hard: the address is bad for good. soft: it may work later, or the message was refused. undetermined: the ESP does not say. */
  bounce_class: null | 'hard' | 'soft' | 'undetermined';
  /** Cause of the bounce. */
  bounce_category: null | 'invalid_mailbox' | 'mailbox_full' | 'domain_not_found' | 'policy' | 'spam' | 'content' | 'too_large' | 'timeout' | 'relay' | 'other';
  /** Why the ESP did not attempt delivery. */
  drop_reason: null | 'bounced' | 'unsubscribed' | 'complained' | 'invalid' | 'spam' | 'expired' | 'content' | 'other';
  /** User agent of the recipient's client or of its proxy. */
  user_agent: null | string;
  /** IP address of the recipient's client or of its proxy. */
  ip: null | string;
  /** True: a machine did it (privacy proxy, prefetch, scanner). False: the ESP says a person did. Null: the ESP does not say. */
  is_machine: null | boolean;
  /** Link that was clicked. */
  url: null | string;
  /** Feedback type of the complaint (RFC 5965), e.g. abuse, not-spam. */
  feedback_type: null | string;
  /** all, or the name of the stream that was left or joined. */
  scope: null | string;
  /** How: link, list_unsubscribe, api, manual …, in the ESP's words. */
  method: null | string;
  /** The ESP's item as JSON text. */
  payload: null | string;
}

/** The events of one transaction whose recipients belong to one partition. */
export interface NormalizedBatch {
  /** In the order in which they were received. */
  events: EmailEvent[];
}

export interface SuppressionReason {
  /** Why. */
  reason: 'hard_bounce' | 'complaint' | 'unsubscribe' | 'soft_bounces' | 'manual';
  /** all, or the name of the stream that the recipient left. */
  scope: string;
  /** When the event that is the reason occurred. */
  since: number;
  /** ESP that reported it. */
  esp: string;
  /** Configured webhook that reported it. */
  source: string;
  /** Event that is the reason. */
  event_id: string;
  /** Diagnostic, feedback type or method. */
  detail: null | string;
}

/** A recipient's whole suppression state. The newest record of a key replaces all earlier ones. */
export interface Suppression {
  /** Recipient key: trimmed, lower-cased address with its domain in ASCII form. Equals the record's key. */
  recipient: string;
  /** True: send nothing to this recipient, i.e. an active reason has scope all. */
  suppressed: boolean;
  /** Active reasons, by reason and scope. Empty: nothing is suppressed. */
  reasons: SuppressionReason[];
  /** When the event that led to this state occurred. */
  changed_at: number;
  /** Event that led to this state. */
  event_id: string;
}

/** A record, or one item of it, that a stage could not process. */
export interface DeadLetter {
  /** Stage that gave up: normalize, events, sink-clickhouse, sink-crm … */
  stage: string;
  /** Error code. */
  code: string;
  /** What was wrong, without addresses or payload. */
  message: string;
  /** How often it was tried. */
  attempts: number;
  /** Time of the first failure. */
  first_at: number;
  /** Time of the last failure. */
  last_at: number;
  /** Topic of the original record. */
  origin_topic: string;
  /** Partition of the original record. */
  origin_partition: number;
  /** Offset of the original record. */
  origin_offset: number;
  /** Which item of the record; null: the whole record. */
  item_index: null | number;
  /** The bad item's own bytes, where it could be cut out. */
  item: null | Buffer;
  /** ESP, if known. */
  esp: null | string;
  /** Configured webhook, if known. */
  source: null | string;
  /** Request id, if known. */
  request_id: null | string;
  /** Key of the original record. */
  key: null | Buffer;
  /** Value of the original record, byte for byte. Null when another dead letter of the same record (its first bad item) carries it. */
  value: null | Buffer;
  /** Headers of the original record. */
  headers: { [key: string]: Buffer };
  /** Time at which the original record was written to its topic. */
  recorded_at: null | number;
  /** open, replayed or discarded. The newest letter with the same key and stage counts. */
  status: string;
  /** When an operator replayed or discarded it. */
  status_at: null | number;
  /** How often it was replayed. */
  replays: number;
  /** Why an operator discarded it. */
  note: null | string;
}

/** What one transaction of events added to the state of its partition. Changelog of the dedupe store. */
export interface SeenBatch {
  /** Event ids that were added, 16 bytes each. */
  ids: Buffer;
  /** Time that decides their expiry. */
  seen_at: number;
  /** Events read from this partition since the beginning. */
  received: number;
  /** … of these, written to a typed topic. */
  emitted: number;
  /** … of these, dropped as duplicates. */
  duplicates: number;
  /** … of these, dead-lettered by events. */
  dead_lettered: number;
  /** Set on the record that a new owner of the partition writes before it restores: the end of what it must read. */
  barrier: null | string;
}

export interface Evidence {
  /** occurred_at of the event. */
  at: number;
  /** ESP that reported it. */
  esp: string;
  /** Configured webhook that reported it. */
  source: string;
  /** The event. */
  event_id: string;
  /** Diagnostic, feedback type or method. */
  detail: null | string;
}

export interface ScopeState {
  /** all or a stream. */
  scope: string;
  /** Latest unsubscribe. */
  unsubscribed: null | Evidence;
  /** Latest resubscribe. */
  subscribed_at: null | number;
}

/** What events knows of a recipient in order to decide suppression. Changelog of the recipient store, compacted by recipient key. */
export interface RecipientState {
  /** Earliest hard bounce. */
  hard_bounce: null | Evidence;
  /** Earliest complaint. */
  complaint: null | Evidence;
  /** By scope, sorted by scope. */
  subscriptions: ScopeState[];
  /** Newest soft bounces after the last delivery, oldest first, bounded. */
  soft_bounces: Evidence[];
  /** Latest delivery. */
  delivered_at: null | number;
  /** Set on the record that a new owner of the partition writes before it restores. */
  barrier: null | string;
}
