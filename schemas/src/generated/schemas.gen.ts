// Generated from schemas/avro by `npm run gen`. Do not edit.

export const schemas = {
  "queued": {
    "type": "record",
    "name": "EmailQueued",
    "namespace": "email_events",
    "doc": "The ESP accepted the message for sending.",
    "fields": [
      {
        "name": "event_id",
        "type": "string",
        "doc": "32 hex digits; the same for every copy of the same event, so it is the key to deduplicate by."
      },
      {
        "name": "occurred_at",
        "type": {
          "type": "long",
          "logicalType": "timestamp-millis"
        },
        "doc": "When it happened: by the ESP's clock, unless occurred_at_source says otherwise."
      },
      {
        "name": "occurred_at_source",
        "type": "string",
        "default": "esp",
        "values": [
          "esp",
          "received",
          "bounded"
        ],
        "doc": "Where occurred_at is from. esp: the ESP said so. received: it gave no readable time, so it is received_at. bounded: what it said is too far from received_at and was moved to the nearest time that is believed."
      },
      {
        "name": "occurred_at_said",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "What the ESP said of the time, where that is not occurred_at; cut to 100 characters."
      },
      {
        "name": "received_at",
        "type": {
          "type": "long",
          "logicalType": "timestamp-millis"
        },
        "doc": "When the ingress received the request that reported it."
      },
      {
        "name": "esp",
        "type": "string",
        "doc": "Email service provider, e.g. sendgrid."
      },
      {
        "name": "source",
        "type": "string",
        "doc": "Configured webhook that reported it: the last part of the webhook URL."
      },
      {
        "name": "account",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "Account that the source belongs to, as configured; part of the identity. Null: the source names none."
      },
      {
        "name": "esp_event_type",
        "type": "string",
        "doc": "The ESP's own name of the event type."
      },
      {
        "name": "esp_event_id",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "The ESP's id of this event, if it gives one."
      },
      {
        "name": "esp_message_id",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "The ESP's id of the message: what its send API returned."
      },
      {
        "name": "message_id",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "RFC 5322 Message-ID without angle brackets."
      },
      {
        "name": "recipient",
        "type": "string",
        "doc": "Recipient address as the ESP wrote it, trimmed. Empty for an event that has no recipient."
      },
      {
        "name": "recipient_domain",
        "type": "string",
        "doc": "Domain of the recipient, lower case, ASCII form."
      },
      {
        "name": "sender",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "Sender address."
      },
      {
        "name": "subject",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "Subject of the message."
      },
      {
        "name": "campaign",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "Campaign name or id."
      },
      {
        "name": "variant",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "A/B variant of the campaign."
      },
      {
        "name": "stream",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "List, group or message stream."
      },
      {
        "name": "tags",
        "type": {
          "type": "array",
          "items": "string"
        },
        "default": [],
        "doc": "Tags or categories."
      },
      {
        "name": "metadata",
        "type": {
          "type": "map",
          "values": "string"
        },
        "default": {},
        "doc": "The sender's own key-value data; values that were not text are JSON text."
      },
      {
        "name": "request_id",
        "type": "string",
        "doc": "Id of the HTTP request that reported it (UUIDv7, the X-Request-Id of the answer)."
      },
      {
        "name": "raw_partition",
        "type": "int",
        "doc": "Partition of email.raw that holds the request's bytes."
      },
      {
        "name": "raw_offset",
        "type": "long",
        "doc": "Offset in that partition."
      },
      {
        "name": "item_index",
        "type": "int",
        "doc": "Position of the event in the request, from 0."
      }
    ]
  },
  "delivered": {
    "type": "record",
    "name": "EmailDelivered",
    "namespace": "email_events",
    "doc": "The receiving server accepted the message.",
    "fields": [
      {
        "name": "event_id",
        "type": "string",
        "doc": "32 hex digits; the same for every copy of the same event, so it is the key to deduplicate by."
      },
      {
        "name": "occurred_at",
        "type": {
          "type": "long",
          "logicalType": "timestamp-millis"
        },
        "doc": "When it happened: by the ESP's clock, unless occurred_at_source says otherwise."
      },
      {
        "name": "occurred_at_source",
        "type": "string",
        "default": "esp",
        "values": [
          "esp",
          "received",
          "bounded"
        ],
        "doc": "Where occurred_at is from. esp: the ESP said so. received: it gave no readable time, so it is received_at. bounded: what it said is too far from received_at and was moved to the nearest time that is believed."
      },
      {
        "name": "occurred_at_said",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "What the ESP said of the time, where that is not occurred_at; cut to 100 characters."
      },
      {
        "name": "received_at",
        "type": {
          "type": "long",
          "logicalType": "timestamp-millis"
        },
        "doc": "When the ingress received the request that reported it."
      },
      {
        "name": "esp",
        "type": "string",
        "doc": "Email service provider, e.g. sendgrid."
      },
      {
        "name": "source",
        "type": "string",
        "doc": "Configured webhook that reported it: the last part of the webhook URL."
      },
      {
        "name": "account",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "Account that the source belongs to, as configured; part of the identity. Null: the source names none."
      },
      {
        "name": "esp_event_type",
        "type": "string",
        "doc": "The ESP's own name of the event type."
      },
      {
        "name": "esp_event_id",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "The ESP's id of this event, if it gives one."
      },
      {
        "name": "esp_message_id",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "The ESP's id of the message: what its send API returned."
      },
      {
        "name": "message_id",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "RFC 5322 Message-ID without angle brackets."
      },
      {
        "name": "recipient",
        "type": "string",
        "doc": "Recipient address as the ESP wrote it, trimmed. Empty for an event that has no recipient."
      },
      {
        "name": "recipient_domain",
        "type": "string",
        "doc": "Domain of the recipient, lower case, ASCII form."
      },
      {
        "name": "sender",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "Sender address."
      },
      {
        "name": "subject",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "Subject of the message."
      },
      {
        "name": "campaign",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "Campaign name or id."
      },
      {
        "name": "variant",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "A/B variant of the campaign."
      },
      {
        "name": "stream",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "List, group or message stream."
      },
      {
        "name": "tags",
        "type": {
          "type": "array",
          "items": "string"
        },
        "default": [],
        "doc": "Tags or categories."
      },
      {
        "name": "metadata",
        "type": {
          "type": "map",
          "values": "string"
        },
        "default": {},
        "doc": "The sender's own key-value data; values that were not text are JSON text."
      },
      {
        "name": "request_id",
        "type": "string",
        "doc": "Id of the HTTP request that reported it (UUIDv7, the X-Request-Id of the answer)."
      },
      {
        "name": "raw_partition",
        "type": "int",
        "doc": "Partition of email.raw that holds the request's bytes."
      },
      {
        "name": "raw_offset",
        "type": "long",
        "doc": "Offset in that partition."
      },
      {
        "name": "item_index",
        "type": "int",
        "doc": "Position of the event in the request, from 0."
      },
      {
        "name": "smtp_response",
        "type": [
          "null",
          "string"
        ],
        "doc": "Answer of the receiving server.",
        "default": null
      },
      {
        "name": "remote_mta",
        "type": [
          "null",
          "string"
        ],
        "doc": "Host name of the receiving server.",
        "default": null
      }
    ]
  },
  "deferred": {
    "type": "record",
    "name": "EmailDeferred",
    "namespace": "email_events",
    "doc": "Delivery failed for now; the ESP will try again.",
    "fields": [
      {
        "name": "event_id",
        "type": "string",
        "doc": "32 hex digits; the same for every copy of the same event, so it is the key to deduplicate by."
      },
      {
        "name": "occurred_at",
        "type": {
          "type": "long",
          "logicalType": "timestamp-millis"
        },
        "doc": "When it happened: by the ESP's clock, unless occurred_at_source says otherwise."
      },
      {
        "name": "occurred_at_source",
        "type": "string",
        "default": "esp",
        "values": [
          "esp",
          "received",
          "bounded"
        ],
        "doc": "Where occurred_at is from. esp: the ESP said so. received: it gave no readable time, so it is received_at. bounded: what it said is too far from received_at and was moved to the nearest time that is believed."
      },
      {
        "name": "occurred_at_said",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "What the ESP said of the time, where that is not occurred_at; cut to 100 characters."
      },
      {
        "name": "received_at",
        "type": {
          "type": "long",
          "logicalType": "timestamp-millis"
        },
        "doc": "When the ingress received the request that reported it."
      },
      {
        "name": "esp",
        "type": "string",
        "doc": "Email service provider, e.g. sendgrid."
      },
      {
        "name": "source",
        "type": "string",
        "doc": "Configured webhook that reported it: the last part of the webhook URL."
      },
      {
        "name": "account",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "Account that the source belongs to, as configured; part of the identity. Null: the source names none."
      },
      {
        "name": "esp_event_type",
        "type": "string",
        "doc": "The ESP's own name of the event type."
      },
      {
        "name": "esp_event_id",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "The ESP's id of this event, if it gives one."
      },
      {
        "name": "esp_message_id",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "The ESP's id of the message: what its send API returned."
      },
      {
        "name": "message_id",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "RFC 5322 Message-ID without angle brackets."
      },
      {
        "name": "recipient",
        "type": "string",
        "doc": "Recipient address as the ESP wrote it, trimmed. Empty for an event that has no recipient."
      },
      {
        "name": "recipient_domain",
        "type": "string",
        "doc": "Domain of the recipient, lower case, ASCII form."
      },
      {
        "name": "sender",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "Sender address."
      },
      {
        "name": "subject",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "Subject of the message."
      },
      {
        "name": "campaign",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "Campaign name or id."
      },
      {
        "name": "variant",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "A/B variant of the campaign."
      },
      {
        "name": "stream",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "List, group or message stream."
      },
      {
        "name": "tags",
        "type": {
          "type": "array",
          "items": "string"
        },
        "default": [],
        "doc": "Tags or categories."
      },
      {
        "name": "metadata",
        "type": {
          "type": "map",
          "values": "string"
        },
        "default": {},
        "doc": "The sender's own key-value data; values that were not text are JSON text."
      },
      {
        "name": "request_id",
        "type": "string",
        "doc": "Id of the HTTP request that reported it (UUIDv7, the X-Request-Id of the answer)."
      },
      {
        "name": "raw_partition",
        "type": "int",
        "doc": "Partition of email.raw that holds the request's bytes."
      },
      {
        "name": "raw_offset",
        "type": "long",
        "doc": "Offset in that partition."
      },
      {
        "name": "item_index",
        "type": "int",
        "doc": "Position of the event in the request, from 0."
      },
      {
        "name": "attempt",
        "type": [
          "null",
          "int"
        ],
        "doc": "Number of the delivery attempt, from 1.",
        "default": null
      },
      {
        "name": "smtp_code",
        "type": [
          "null",
          "int"
        ],
        "doc": "SMTP reply code, e.g. 550.",
        "default": null
      },
      {
        "name": "enhanced_status",
        "type": [
          "null",
          "string"
        ],
        "doc": "Enhanced status code (RFC 3463), e.g. 5.1.1.",
        "default": null
      },
      {
        "name": "diagnostic",
        "type": [
          "null",
          "string"
        ],
        "doc": "Reason in the words of the ESP or of the receiving server.",
        "default": null
      }
    ]
  },
  "bounced": {
    "type": "record",
    "name": "EmailBounced",
    "namespace": "email_events",
    "doc": "Delivery failed and the ESP gave up.",
    "fields": [
      {
        "name": "event_id",
        "type": "string",
        "doc": "32 hex digits; the same for every copy of the same event, so it is the key to deduplicate by."
      },
      {
        "name": "occurred_at",
        "type": {
          "type": "long",
          "logicalType": "timestamp-millis"
        },
        "doc": "When it happened: by the ESP's clock, unless occurred_at_source says otherwise."
      },
      {
        "name": "occurred_at_source",
        "type": "string",
        "default": "esp",
        "values": [
          "esp",
          "received",
          "bounded"
        ],
        "doc": "Where occurred_at is from. esp: the ESP said so. received: it gave no readable time, so it is received_at. bounded: what it said is too far from received_at and was moved to the nearest time that is believed."
      },
      {
        "name": "occurred_at_said",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "What the ESP said of the time, where that is not occurred_at; cut to 100 characters."
      },
      {
        "name": "received_at",
        "type": {
          "type": "long",
          "logicalType": "timestamp-millis"
        },
        "doc": "When the ingress received the request that reported it."
      },
      {
        "name": "esp",
        "type": "string",
        "doc": "Email service provider, e.g. sendgrid."
      },
      {
        "name": "source",
        "type": "string",
        "doc": "Configured webhook that reported it: the last part of the webhook URL."
      },
      {
        "name": "account",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "Account that the source belongs to, as configured; part of the identity. Null: the source names none."
      },
      {
        "name": "esp_event_type",
        "type": "string",
        "doc": "The ESP's own name of the event type."
      },
      {
        "name": "esp_event_id",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "The ESP's id of this event, if it gives one."
      },
      {
        "name": "esp_message_id",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "The ESP's id of the message: what its send API returned."
      },
      {
        "name": "message_id",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "RFC 5322 Message-ID without angle brackets."
      },
      {
        "name": "recipient",
        "type": "string",
        "doc": "Recipient address as the ESP wrote it, trimmed. Empty for an event that has no recipient."
      },
      {
        "name": "recipient_domain",
        "type": "string",
        "doc": "Domain of the recipient, lower case, ASCII form."
      },
      {
        "name": "sender",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "Sender address."
      },
      {
        "name": "subject",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "Subject of the message."
      },
      {
        "name": "campaign",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "Campaign name or id."
      },
      {
        "name": "variant",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "A/B variant of the campaign."
      },
      {
        "name": "stream",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "List, group or message stream."
      },
      {
        "name": "tags",
        "type": {
          "type": "array",
          "items": "string"
        },
        "default": [],
        "doc": "Tags or categories."
      },
      {
        "name": "metadata",
        "type": {
          "type": "map",
          "values": "string"
        },
        "default": {},
        "doc": "The sender's own key-value data; values that were not text are JSON text."
      },
      {
        "name": "request_id",
        "type": "string",
        "doc": "Id of the HTTP request that reported it (UUIDv7, the X-Request-Id of the answer)."
      },
      {
        "name": "raw_partition",
        "type": "int",
        "doc": "Partition of email.raw that holds the request's bytes."
      },
      {
        "name": "raw_offset",
        "type": "long",
        "doc": "Offset in that partition."
      },
      {
        "name": "item_index",
        "type": "int",
        "doc": "Position of the event in the request, from 0."
      },
      {
        "name": "bounce_class",
        "type": "string",
        "values": [
          "hard",
          "soft",
          "undetermined"
        ],
        "doc": "hard: the address is bad for good. soft: it may work later, or the message was refused. undetermined: the ESP does not say."
      },
      {
        "name": "bounce_category",
        "type": "string",
        "values": [
          "invalid_mailbox",
          "mailbox_full",
          "domain_not_found",
          "policy",
          "spam",
          "content",
          "too_large",
          "timeout",
          "relay",
          "other"
        ],
        "doc": "Cause of the bounce."
      },
      {
        "name": "smtp_code",
        "type": [
          "null",
          "int"
        ],
        "doc": "SMTP reply code, e.g. 550.",
        "default": null
      },
      {
        "name": "enhanced_status",
        "type": [
          "null",
          "string"
        ],
        "doc": "Enhanced status code (RFC 3463), e.g. 5.1.1.",
        "default": null
      },
      {
        "name": "diagnostic",
        "type": [
          "null",
          "string"
        ],
        "doc": "Reason in the words of the ESP or of the receiving server.",
        "default": null
      },
      {
        "name": "remote_mta",
        "type": [
          "null",
          "string"
        ],
        "doc": "Host name of the receiving server.",
        "default": null
      }
    ]
  },
  "dropped": {
    "type": "record",
    "name": "EmailDropped",
    "namespace": "email_events",
    "doc": "The ESP did not attempt delivery.",
    "fields": [
      {
        "name": "event_id",
        "type": "string",
        "doc": "32 hex digits; the same for every copy of the same event, so it is the key to deduplicate by."
      },
      {
        "name": "occurred_at",
        "type": {
          "type": "long",
          "logicalType": "timestamp-millis"
        },
        "doc": "When it happened: by the ESP's clock, unless occurred_at_source says otherwise."
      },
      {
        "name": "occurred_at_source",
        "type": "string",
        "default": "esp",
        "values": [
          "esp",
          "received",
          "bounded"
        ],
        "doc": "Where occurred_at is from. esp: the ESP said so. received: it gave no readable time, so it is received_at. bounded: what it said is too far from received_at and was moved to the nearest time that is believed."
      },
      {
        "name": "occurred_at_said",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "What the ESP said of the time, where that is not occurred_at; cut to 100 characters."
      },
      {
        "name": "received_at",
        "type": {
          "type": "long",
          "logicalType": "timestamp-millis"
        },
        "doc": "When the ingress received the request that reported it."
      },
      {
        "name": "esp",
        "type": "string",
        "doc": "Email service provider, e.g. sendgrid."
      },
      {
        "name": "source",
        "type": "string",
        "doc": "Configured webhook that reported it: the last part of the webhook URL."
      },
      {
        "name": "account",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "Account that the source belongs to, as configured; part of the identity. Null: the source names none."
      },
      {
        "name": "esp_event_type",
        "type": "string",
        "doc": "The ESP's own name of the event type."
      },
      {
        "name": "esp_event_id",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "The ESP's id of this event, if it gives one."
      },
      {
        "name": "esp_message_id",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "The ESP's id of the message: what its send API returned."
      },
      {
        "name": "message_id",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "RFC 5322 Message-ID without angle brackets."
      },
      {
        "name": "recipient",
        "type": "string",
        "doc": "Recipient address as the ESP wrote it, trimmed. Empty for an event that has no recipient."
      },
      {
        "name": "recipient_domain",
        "type": "string",
        "doc": "Domain of the recipient, lower case, ASCII form."
      },
      {
        "name": "sender",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "Sender address."
      },
      {
        "name": "subject",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "Subject of the message."
      },
      {
        "name": "campaign",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "Campaign name or id."
      },
      {
        "name": "variant",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "A/B variant of the campaign."
      },
      {
        "name": "stream",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "List, group or message stream."
      },
      {
        "name": "tags",
        "type": {
          "type": "array",
          "items": "string"
        },
        "default": [],
        "doc": "Tags or categories."
      },
      {
        "name": "metadata",
        "type": {
          "type": "map",
          "values": "string"
        },
        "default": {},
        "doc": "The sender's own key-value data; values that were not text are JSON text."
      },
      {
        "name": "request_id",
        "type": "string",
        "doc": "Id of the HTTP request that reported it (UUIDv7, the X-Request-Id of the answer)."
      },
      {
        "name": "raw_partition",
        "type": "int",
        "doc": "Partition of email.raw that holds the request's bytes."
      },
      {
        "name": "raw_offset",
        "type": "long",
        "doc": "Offset in that partition."
      },
      {
        "name": "item_index",
        "type": "int",
        "doc": "Position of the event in the request, from 0."
      },
      {
        "name": "drop_reason",
        "type": "string",
        "values": [
          "bounced",
          "unsubscribed",
          "complained",
          "invalid",
          "spam",
          "expired",
          "content",
          "other"
        ],
        "doc": "Why the ESP did not attempt delivery."
      },
      {
        "name": "diagnostic",
        "type": [
          "null",
          "string"
        ],
        "doc": "Reason in the words of the ESP or of the receiving server.",
        "default": null
      }
    ]
  },
  "opened": {
    "type": "record",
    "name": "EmailOpened",
    "namespace": "email_events",
    "doc": "The message was opened.",
    "fields": [
      {
        "name": "event_id",
        "type": "string",
        "doc": "32 hex digits; the same for every copy of the same event, so it is the key to deduplicate by."
      },
      {
        "name": "occurred_at",
        "type": {
          "type": "long",
          "logicalType": "timestamp-millis"
        },
        "doc": "When it happened: by the ESP's clock, unless occurred_at_source says otherwise."
      },
      {
        "name": "occurred_at_source",
        "type": "string",
        "default": "esp",
        "values": [
          "esp",
          "received",
          "bounded"
        ],
        "doc": "Where occurred_at is from. esp: the ESP said so. received: it gave no readable time, so it is received_at. bounded: what it said is too far from received_at and was moved to the nearest time that is believed."
      },
      {
        "name": "occurred_at_said",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "What the ESP said of the time, where that is not occurred_at; cut to 100 characters."
      },
      {
        "name": "received_at",
        "type": {
          "type": "long",
          "logicalType": "timestamp-millis"
        },
        "doc": "When the ingress received the request that reported it."
      },
      {
        "name": "esp",
        "type": "string",
        "doc": "Email service provider, e.g. sendgrid."
      },
      {
        "name": "source",
        "type": "string",
        "doc": "Configured webhook that reported it: the last part of the webhook URL."
      },
      {
        "name": "account",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "Account that the source belongs to, as configured; part of the identity. Null: the source names none."
      },
      {
        "name": "esp_event_type",
        "type": "string",
        "doc": "The ESP's own name of the event type."
      },
      {
        "name": "esp_event_id",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "The ESP's id of this event, if it gives one."
      },
      {
        "name": "esp_message_id",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "The ESP's id of the message: what its send API returned."
      },
      {
        "name": "message_id",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "RFC 5322 Message-ID without angle brackets."
      },
      {
        "name": "recipient",
        "type": "string",
        "doc": "Recipient address as the ESP wrote it, trimmed. Empty for an event that has no recipient."
      },
      {
        "name": "recipient_domain",
        "type": "string",
        "doc": "Domain of the recipient, lower case, ASCII form."
      },
      {
        "name": "sender",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "Sender address."
      },
      {
        "name": "subject",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "Subject of the message."
      },
      {
        "name": "campaign",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "Campaign name or id."
      },
      {
        "name": "variant",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "A/B variant of the campaign."
      },
      {
        "name": "stream",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "List, group or message stream."
      },
      {
        "name": "tags",
        "type": {
          "type": "array",
          "items": "string"
        },
        "default": [],
        "doc": "Tags or categories."
      },
      {
        "name": "metadata",
        "type": {
          "type": "map",
          "values": "string"
        },
        "default": {},
        "doc": "The sender's own key-value data; values that were not text are JSON text."
      },
      {
        "name": "request_id",
        "type": "string",
        "doc": "Id of the HTTP request that reported it (UUIDv7, the X-Request-Id of the answer)."
      },
      {
        "name": "raw_partition",
        "type": "int",
        "doc": "Partition of email.raw that holds the request's bytes."
      },
      {
        "name": "raw_offset",
        "type": "long",
        "doc": "Offset in that partition."
      },
      {
        "name": "item_index",
        "type": "int",
        "doc": "Position of the event in the request, from 0."
      },
      {
        "name": "user_agent",
        "type": [
          "null",
          "string"
        ],
        "doc": "User agent of the recipient's client or of its proxy.",
        "default": null
      },
      {
        "name": "ip",
        "type": [
          "null",
          "string"
        ],
        "doc": "IP address of the recipient's client or of its proxy.",
        "default": null
      },
      {
        "name": "is_machine",
        "type": [
          "null",
          "boolean"
        ],
        "doc": "True: a machine did it (privacy proxy, prefetch, scanner). False: the ESP says a person did. Null: the ESP does not say.",
        "default": null
      }
    ]
  },
  "clicked": {
    "type": "record",
    "name": "EmailClicked",
    "namespace": "email_events",
    "doc": "A link in the message was clicked.",
    "fields": [
      {
        "name": "event_id",
        "type": "string",
        "doc": "32 hex digits; the same for every copy of the same event, so it is the key to deduplicate by."
      },
      {
        "name": "occurred_at",
        "type": {
          "type": "long",
          "logicalType": "timestamp-millis"
        },
        "doc": "When it happened: by the ESP's clock, unless occurred_at_source says otherwise."
      },
      {
        "name": "occurred_at_source",
        "type": "string",
        "default": "esp",
        "values": [
          "esp",
          "received",
          "bounded"
        ],
        "doc": "Where occurred_at is from. esp: the ESP said so. received: it gave no readable time, so it is received_at. bounded: what it said is too far from received_at and was moved to the nearest time that is believed."
      },
      {
        "name": "occurred_at_said",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "What the ESP said of the time, where that is not occurred_at; cut to 100 characters."
      },
      {
        "name": "received_at",
        "type": {
          "type": "long",
          "logicalType": "timestamp-millis"
        },
        "doc": "When the ingress received the request that reported it."
      },
      {
        "name": "esp",
        "type": "string",
        "doc": "Email service provider, e.g. sendgrid."
      },
      {
        "name": "source",
        "type": "string",
        "doc": "Configured webhook that reported it: the last part of the webhook URL."
      },
      {
        "name": "account",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "Account that the source belongs to, as configured; part of the identity. Null: the source names none."
      },
      {
        "name": "esp_event_type",
        "type": "string",
        "doc": "The ESP's own name of the event type."
      },
      {
        "name": "esp_event_id",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "The ESP's id of this event, if it gives one."
      },
      {
        "name": "esp_message_id",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "The ESP's id of the message: what its send API returned."
      },
      {
        "name": "message_id",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "RFC 5322 Message-ID without angle brackets."
      },
      {
        "name": "recipient",
        "type": "string",
        "doc": "Recipient address as the ESP wrote it, trimmed. Empty for an event that has no recipient."
      },
      {
        "name": "recipient_domain",
        "type": "string",
        "doc": "Domain of the recipient, lower case, ASCII form."
      },
      {
        "name": "sender",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "Sender address."
      },
      {
        "name": "subject",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "Subject of the message."
      },
      {
        "name": "campaign",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "Campaign name or id."
      },
      {
        "name": "variant",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "A/B variant of the campaign."
      },
      {
        "name": "stream",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "List, group or message stream."
      },
      {
        "name": "tags",
        "type": {
          "type": "array",
          "items": "string"
        },
        "default": [],
        "doc": "Tags or categories."
      },
      {
        "name": "metadata",
        "type": {
          "type": "map",
          "values": "string"
        },
        "default": {},
        "doc": "The sender's own key-value data; values that were not text are JSON text."
      },
      {
        "name": "request_id",
        "type": "string",
        "doc": "Id of the HTTP request that reported it (UUIDv7, the X-Request-Id of the answer)."
      },
      {
        "name": "raw_partition",
        "type": "int",
        "doc": "Partition of email.raw that holds the request's bytes."
      },
      {
        "name": "raw_offset",
        "type": "long",
        "doc": "Offset in that partition."
      },
      {
        "name": "item_index",
        "type": "int",
        "doc": "Position of the event in the request, from 0."
      },
      {
        "name": "url",
        "type": [
          "null",
          "string"
        ],
        "doc": "Link that was clicked.",
        "default": null
      },
      {
        "name": "user_agent",
        "type": [
          "null",
          "string"
        ],
        "doc": "User agent of the recipient's client or of its proxy.",
        "default": null
      },
      {
        "name": "ip",
        "type": [
          "null",
          "string"
        ],
        "doc": "IP address of the recipient's client or of its proxy.",
        "default": null
      },
      {
        "name": "is_machine",
        "type": [
          "null",
          "boolean"
        ],
        "doc": "True: a machine did it (privacy proxy, prefetch, scanner). False: the ESP says a person did. Null: the ESP does not say.",
        "default": null
      }
    ]
  },
  "complained": {
    "type": "record",
    "name": "EmailComplained",
    "namespace": "email_events",
    "doc": "The recipient reported the message as spam.",
    "fields": [
      {
        "name": "event_id",
        "type": "string",
        "doc": "32 hex digits; the same for every copy of the same event, so it is the key to deduplicate by."
      },
      {
        "name": "occurred_at",
        "type": {
          "type": "long",
          "logicalType": "timestamp-millis"
        },
        "doc": "When it happened: by the ESP's clock, unless occurred_at_source says otherwise."
      },
      {
        "name": "occurred_at_source",
        "type": "string",
        "default": "esp",
        "values": [
          "esp",
          "received",
          "bounded"
        ],
        "doc": "Where occurred_at is from. esp: the ESP said so. received: it gave no readable time, so it is received_at. bounded: what it said is too far from received_at and was moved to the nearest time that is believed."
      },
      {
        "name": "occurred_at_said",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "What the ESP said of the time, where that is not occurred_at; cut to 100 characters."
      },
      {
        "name": "received_at",
        "type": {
          "type": "long",
          "logicalType": "timestamp-millis"
        },
        "doc": "When the ingress received the request that reported it."
      },
      {
        "name": "esp",
        "type": "string",
        "doc": "Email service provider, e.g. sendgrid."
      },
      {
        "name": "source",
        "type": "string",
        "doc": "Configured webhook that reported it: the last part of the webhook URL."
      },
      {
        "name": "account",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "Account that the source belongs to, as configured; part of the identity. Null: the source names none."
      },
      {
        "name": "esp_event_type",
        "type": "string",
        "doc": "The ESP's own name of the event type."
      },
      {
        "name": "esp_event_id",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "The ESP's id of this event, if it gives one."
      },
      {
        "name": "esp_message_id",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "The ESP's id of the message: what its send API returned."
      },
      {
        "name": "message_id",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "RFC 5322 Message-ID without angle brackets."
      },
      {
        "name": "recipient",
        "type": "string",
        "doc": "Recipient address as the ESP wrote it, trimmed. Empty for an event that has no recipient."
      },
      {
        "name": "recipient_domain",
        "type": "string",
        "doc": "Domain of the recipient, lower case, ASCII form."
      },
      {
        "name": "sender",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "Sender address."
      },
      {
        "name": "subject",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "Subject of the message."
      },
      {
        "name": "campaign",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "Campaign name or id."
      },
      {
        "name": "variant",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "A/B variant of the campaign."
      },
      {
        "name": "stream",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "List, group or message stream."
      },
      {
        "name": "tags",
        "type": {
          "type": "array",
          "items": "string"
        },
        "default": [],
        "doc": "Tags or categories."
      },
      {
        "name": "metadata",
        "type": {
          "type": "map",
          "values": "string"
        },
        "default": {},
        "doc": "The sender's own key-value data; values that were not text are JSON text."
      },
      {
        "name": "request_id",
        "type": "string",
        "doc": "Id of the HTTP request that reported it (UUIDv7, the X-Request-Id of the answer)."
      },
      {
        "name": "raw_partition",
        "type": "int",
        "doc": "Partition of email.raw that holds the request's bytes."
      },
      {
        "name": "raw_offset",
        "type": "long",
        "doc": "Offset in that partition."
      },
      {
        "name": "item_index",
        "type": "int",
        "doc": "Position of the event in the request, from 0."
      },
      {
        "name": "feedback_type",
        "type": [
          "null",
          "string"
        ],
        "doc": "Feedback type of the complaint (RFC 5965), e.g. abuse, not-spam.",
        "default": null
      }
    ]
  },
  "unsubscribed": {
    "type": "record",
    "name": "EmailUnsubscribed",
    "namespace": "email_events",
    "doc": "The recipient left all mail or one stream.",
    "fields": [
      {
        "name": "event_id",
        "type": "string",
        "doc": "32 hex digits; the same for every copy of the same event, so it is the key to deduplicate by."
      },
      {
        "name": "occurred_at",
        "type": {
          "type": "long",
          "logicalType": "timestamp-millis"
        },
        "doc": "When it happened: by the ESP's clock, unless occurred_at_source says otherwise."
      },
      {
        "name": "occurred_at_source",
        "type": "string",
        "default": "esp",
        "values": [
          "esp",
          "received",
          "bounded"
        ],
        "doc": "Where occurred_at is from. esp: the ESP said so. received: it gave no readable time, so it is received_at. bounded: what it said is too far from received_at and was moved to the nearest time that is believed."
      },
      {
        "name": "occurred_at_said",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "What the ESP said of the time, where that is not occurred_at; cut to 100 characters."
      },
      {
        "name": "received_at",
        "type": {
          "type": "long",
          "logicalType": "timestamp-millis"
        },
        "doc": "When the ingress received the request that reported it."
      },
      {
        "name": "esp",
        "type": "string",
        "doc": "Email service provider, e.g. sendgrid."
      },
      {
        "name": "source",
        "type": "string",
        "doc": "Configured webhook that reported it: the last part of the webhook URL."
      },
      {
        "name": "account",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "Account that the source belongs to, as configured; part of the identity. Null: the source names none."
      },
      {
        "name": "esp_event_type",
        "type": "string",
        "doc": "The ESP's own name of the event type."
      },
      {
        "name": "esp_event_id",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "The ESP's id of this event, if it gives one."
      },
      {
        "name": "esp_message_id",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "The ESP's id of the message: what its send API returned."
      },
      {
        "name": "message_id",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "RFC 5322 Message-ID without angle brackets."
      },
      {
        "name": "recipient",
        "type": "string",
        "doc": "Recipient address as the ESP wrote it, trimmed. Empty for an event that has no recipient."
      },
      {
        "name": "recipient_domain",
        "type": "string",
        "doc": "Domain of the recipient, lower case, ASCII form."
      },
      {
        "name": "sender",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "Sender address."
      },
      {
        "name": "subject",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "Subject of the message."
      },
      {
        "name": "campaign",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "Campaign name or id."
      },
      {
        "name": "variant",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "A/B variant of the campaign."
      },
      {
        "name": "stream",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "List, group or message stream."
      },
      {
        "name": "tags",
        "type": {
          "type": "array",
          "items": "string"
        },
        "default": [],
        "doc": "Tags or categories."
      },
      {
        "name": "metadata",
        "type": {
          "type": "map",
          "values": "string"
        },
        "default": {},
        "doc": "The sender's own key-value data; values that were not text are JSON text."
      },
      {
        "name": "request_id",
        "type": "string",
        "doc": "Id of the HTTP request that reported it (UUIDv7, the X-Request-Id of the answer)."
      },
      {
        "name": "raw_partition",
        "type": "int",
        "doc": "Partition of email.raw that holds the request's bytes."
      },
      {
        "name": "raw_offset",
        "type": "long",
        "doc": "Offset in that partition."
      },
      {
        "name": "item_index",
        "type": "int",
        "doc": "Position of the event in the request, from 0."
      },
      {
        "name": "scope",
        "type": "string",
        "doc": "all, or the name of the stream that was left or joined."
      },
      {
        "name": "method",
        "type": [
          "null",
          "string"
        ],
        "doc": "How: link, list_unsubscribe, api, manual …, in the ESP's words.",
        "default": null
      },
      {
        "name": "user_agent",
        "type": [
          "null",
          "string"
        ],
        "doc": "User agent of the recipient's client or of its proxy.",
        "default": null
      },
      {
        "name": "ip",
        "type": [
          "null",
          "string"
        ],
        "doc": "IP address of the recipient's client or of its proxy.",
        "default": null
      }
    ]
  },
  "subscribed": {
    "type": "record",
    "name": "EmailSubscribed",
    "namespace": "email_events",
    "doc": "The recipient came back to all mail or to one stream.",
    "fields": [
      {
        "name": "event_id",
        "type": "string",
        "doc": "32 hex digits; the same for every copy of the same event, so it is the key to deduplicate by."
      },
      {
        "name": "occurred_at",
        "type": {
          "type": "long",
          "logicalType": "timestamp-millis"
        },
        "doc": "When it happened: by the ESP's clock, unless occurred_at_source says otherwise."
      },
      {
        "name": "occurred_at_source",
        "type": "string",
        "default": "esp",
        "values": [
          "esp",
          "received",
          "bounded"
        ],
        "doc": "Where occurred_at is from. esp: the ESP said so. received: it gave no readable time, so it is received_at. bounded: what it said is too far from received_at and was moved to the nearest time that is believed."
      },
      {
        "name": "occurred_at_said",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "What the ESP said of the time, where that is not occurred_at; cut to 100 characters."
      },
      {
        "name": "received_at",
        "type": {
          "type": "long",
          "logicalType": "timestamp-millis"
        },
        "doc": "When the ingress received the request that reported it."
      },
      {
        "name": "esp",
        "type": "string",
        "doc": "Email service provider, e.g. sendgrid."
      },
      {
        "name": "source",
        "type": "string",
        "doc": "Configured webhook that reported it: the last part of the webhook URL."
      },
      {
        "name": "account",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "Account that the source belongs to, as configured; part of the identity. Null: the source names none."
      },
      {
        "name": "esp_event_type",
        "type": "string",
        "doc": "The ESP's own name of the event type."
      },
      {
        "name": "esp_event_id",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "The ESP's id of this event, if it gives one."
      },
      {
        "name": "esp_message_id",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "The ESP's id of the message: what its send API returned."
      },
      {
        "name": "message_id",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "RFC 5322 Message-ID without angle brackets."
      },
      {
        "name": "recipient",
        "type": "string",
        "doc": "Recipient address as the ESP wrote it, trimmed. Empty for an event that has no recipient."
      },
      {
        "name": "recipient_domain",
        "type": "string",
        "doc": "Domain of the recipient, lower case, ASCII form."
      },
      {
        "name": "sender",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "Sender address."
      },
      {
        "name": "subject",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "Subject of the message."
      },
      {
        "name": "campaign",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "Campaign name or id."
      },
      {
        "name": "variant",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "A/B variant of the campaign."
      },
      {
        "name": "stream",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "List, group or message stream."
      },
      {
        "name": "tags",
        "type": {
          "type": "array",
          "items": "string"
        },
        "default": [],
        "doc": "Tags or categories."
      },
      {
        "name": "metadata",
        "type": {
          "type": "map",
          "values": "string"
        },
        "default": {},
        "doc": "The sender's own key-value data; values that were not text are JSON text."
      },
      {
        "name": "request_id",
        "type": "string",
        "doc": "Id of the HTTP request that reported it (UUIDv7, the X-Request-Id of the answer)."
      },
      {
        "name": "raw_partition",
        "type": "int",
        "doc": "Partition of email.raw that holds the request's bytes."
      },
      {
        "name": "raw_offset",
        "type": "long",
        "doc": "Offset in that partition."
      },
      {
        "name": "item_index",
        "type": "int",
        "doc": "Position of the event in the request, from 0."
      },
      {
        "name": "scope",
        "type": "string",
        "doc": "all, or the name of the stream that was left or joined."
      },
      {
        "name": "method",
        "type": [
          "null",
          "string"
        ],
        "doc": "How: link, list_unsubscribe, api, manual …, in the ESP's words.",
        "default": null
      },
      {
        "name": "user_agent",
        "type": [
          "null",
          "string"
        ],
        "doc": "User agent of the recipient's client or of its proxy.",
        "default": null
      },
      {
        "name": "ip",
        "type": [
          "null",
          "string"
        ],
        "doc": "IP address of the recipient's client or of its proxy.",
        "default": null
      }
    ]
  },
  "other": {
    "type": "record",
    "name": "EmailOther",
    "namespace": "email_events",
    "doc": "Anything else the ESP reported.",
    "fields": [
      {
        "name": "event_id",
        "type": "string",
        "doc": "32 hex digits; the same for every copy of the same event, so it is the key to deduplicate by."
      },
      {
        "name": "occurred_at",
        "type": {
          "type": "long",
          "logicalType": "timestamp-millis"
        },
        "doc": "When it happened: by the ESP's clock, unless occurred_at_source says otherwise."
      },
      {
        "name": "occurred_at_source",
        "type": "string",
        "default": "esp",
        "values": [
          "esp",
          "received",
          "bounded"
        ],
        "doc": "Where occurred_at is from. esp: the ESP said so. received: it gave no readable time, so it is received_at. bounded: what it said is too far from received_at and was moved to the nearest time that is believed."
      },
      {
        "name": "occurred_at_said",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "What the ESP said of the time, where that is not occurred_at; cut to 100 characters."
      },
      {
        "name": "received_at",
        "type": {
          "type": "long",
          "logicalType": "timestamp-millis"
        },
        "doc": "When the ingress received the request that reported it."
      },
      {
        "name": "esp",
        "type": "string",
        "doc": "Email service provider, e.g. sendgrid."
      },
      {
        "name": "source",
        "type": "string",
        "doc": "Configured webhook that reported it: the last part of the webhook URL."
      },
      {
        "name": "account",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "Account that the source belongs to, as configured; part of the identity. Null: the source names none."
      },
      {
        "name": "esp_event_type",
        "type": "string",
        "doc": "The ESP's own name of the event type."
      },
      {
        "name": "esp_event_id",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "The ESP's id of this event, if it gives one."
      },
      {
        "name": "esp_message_id",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "The ESP's id of the message: what its send API returned."
      },
      {
        "name": "message_id",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "RFC 5322 Message-ID without angle brackets."
      },
      {
        "name": "recipient",
        "type": "string",
        "doc": "Recipient address as the ESP wrote it, trimmed. Empty for an event that has no recipient."
      },
      {
        "name": "recipient_domain",
        "type": "string",
        "doc": "Domain of the recipient, lower case, ASCII form."
      },
      {
        "name": "sender",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "Sender address."
      },
      {
        "name": "subject",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "Subject of the message."
      },
      {
        "name": "campaign",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "Campaign name or id."
      },
      {
        "name": "variant",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "A/B variant of the campaign."
      },
      {
        "name": "stream",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "List, group or message stream."
      },
      {
        "name": "tags",
        "type": {
          "type": "array",
          "items": "string"
        },
        "default": [],
        "doc": "Tags or categories."
      },
      {
        "name": "metadata",
        "type": {
          "type": "map",
          "values": "string"
        },
        "default": {},
        "doc": "The sender's own key-value data; values that were not text are JSON text."
      },
      {
        "name": "request_id",
        "type": "string",
        "doc": "Id of the HTTP request that reported it (UUIDv7, the X-Request-Id of the answer)."
      },
      {
        "name": "raw_partition",
        "type": "int",
        "doc": "Partition of email.raw that holds the request's bytes."
      },
      {
        "name": "raw_offset",
        "type": "long",
        "doc": "Offset in that partition."
      },
      {
        "name": "item_index",
        "type": "int",
        "doc": "Position of the event in the request, from 0."
      },
      {
        "name": "payload",
        "type": "string",
        "doc": "The ESP's item as JSON text."
      }
    ]
  },
  "normalized": {
    "type": "record",
    "name": "NormalizedBatch",
    "namespace": "email_events",
    "doc": "The events of one transaction whose recipients belong to one partition.",
    "fields": [
      {
        "name": "events",
        "type": {
          "type": "array",
          "items": {
            "type": "record",
            "name": "EmailEvent",
            "namespace": "email_events",
            "doc": "An event of any type.",
            "fields": [
              {
                "name": "type",
                "type": "string",
                "values": [
                  "queued",
                  "delivered",
                  "deferred",
                  "bounced",
                  "dropped",
                  "opened",
                  "clicked",
                  "complained",
                  "unsubscribed",
                  "subscribed",
                  "other"
                ],
                "doc": "Event type."
              },
              {
                "name": "event_id",
                "type": "string",
                "doc": "32 hex digits; the same for every copy of the same event, so it is the key to deduplicate by."
              },
              {
                "name": "occurred_at",
                "type": {
                  "type": "long",
                  "logicalType": "timestamp-millis"
                },
                "doc": "When it happened: by the ESP's clock, unless occurred_at_source says otherwise."
              },
              {
                "name": "occurred_at_source",
                "type": "string",
                "default": "esp",
                "values": [
                  "esp",
                  "received",
                  "bounded"
                ],
                "doc": "Where occurred_at is from. esp: the ESP said so. received: it gave no readable time, so it is received_at. bounded: what it said is too far from received_at and was moved to the nearest time that is believed."
              },
              {
                "name": "occurred_at_said",
                "type": [
                  "null",
                  "string"
                ],
                "default": null,
                "doc": "What the ESP said of the time, where that is not occurred_at; cut to 100 characters."
              },
              {
                "name": "received_at",
                "type": {
                  "type": "long",
                  "logicalType": "timestamp-millis"
                },
                "doc": "When the ingress received the request that reported it."
              },
              {
                "name": "esp",
                "type": "string",
                "doc": "Email service provider, e.g. sendgrid."
              },
              {
                "name": "source",
                "type": "string",
                "doc": "Configured webhook that reported it: the last part of the webhook URL."
              },
              {
                "name": "account",
                "type": [
                  "null",
                  "string"
                ],
                "default": null,
                "doc": "Account that the source belongs to, as configured; part of the identity. Null: the source names none."
              },
              {
                "name": "esp_event_type",
                "type": "string",
                "doc": "The ESP's own name of the event type."
              },
              {
                "name": "esp_event_id",
                "type": [
                  "null",
                  "string"
                ],
                "default": null,
                "doc": "The ESP's id of this event, if it gives one."
              },
              {
                "name": "esp_message_id",
                "type": [
                  "null",
                  "string"
                ],
                "default": null,
                "doc": "The ESP's id of the message: what its send API returned."
              },
              {
                "name": "message_id",
                "type": [
                  "null",
                  "string"
                ],
                "default": null,
                "doc": "RFC 5322 Message-ID without angle brackets."
              },
              {
                "name": "recipient",
                "type": "string",
                "doc": "Recipient address as the ESP wrote it, trimmed. Empty for an event that has no recipient."
              },
              {
                "name": "recipient_domain",
                "type": "string",
                "doc": "Domain of the recipient, lower case, ASCII form."
              },
              {
                "name": "sender",
                "type": [
                  "null",
                  "string"
                ],
                "default": null,
                "doc": "Sender address."
              },
              {
                "name": "subject",
                "type": [
                  "null",
                  "string"
                ],
                "default": null,
                "doc": "Subject of the message."
              },
              {
                "name": "campaign",
                "type": [
                  "null",
                  "string"
                ],
                "default": null,
                "doc": "Campaign name or id."
              },
              {
                "name": "variant",
                "type": [
                  "null",
                  "string"
                ],
                "default": null,
                "doc": "A/B variant of the campaign."
              },
              {
                "name": "stream",
                "type": [
                  "null",
                  "string"
                ],
                "default": null,
                "doc": "List, group or message stream."
              },
              {
                "name": "tags",
                "type": {
                  "type": "array",
                  "items": "string"
                },
                "default": [],
                "doc": "Tags or categories."
              },
              {
                "name": "metadata",
                "type": {
                  "type": "map",
                  "values": "string"
                },
                "default": {},
                "doc": "The sender's own key-value data; values that were not text are JSON text."
              },
              {
                "name": "request_id",
                "type": "string",
                "doc": "Id of the HTTP request that reported it (UUIDv7, the X-Request-Id of the answer)."
              },
              {
                "name": "raw_partition",
                "type": "int",
                "doc": "Partition of email.raw that holds the request's bytes."
              },
              {
                "name": "raw_offset",
                "type": "long",
                "doc": "Offset in that partition."
              },
              {
                "name": "item_index",
                "type": "int",
                "doc": "Position of the event in the request, from 0."
              },
              {
                "name": "smtp_response",
                "type": [
                  "null",
                  "string"
                ],
                "doc": "Answer of the receiving server.",
                "default": null
              },
              {
                "name": "remote_mta",
                "type": [
                  "null",
                  "string"
                ],
                "doc": "Host name of the receiving server.",
                "default": null
              },
              {
                "name": "attempt",
                "type": [
                  "null",
                  "int"
                ],
                "doc": "Number of the delivery attempt, from 1.",
                "default": null
              },
              {
                "name": "smtp_code",
                "type": [
                  "null",
                  "int"
                ],
                "doc": "SMTP reply code, e.g. 550.",
                "default": null
              },
              {
                "name": "enhanced_status",
                "type": [
                  "null",
                  "string"
                ],
                "doc": "Enhanced status code (RFC 3463), e.g. 5.1.1.",
                "default": null
              },
              {
                "name": "diagnostic",
                "type": [
                  "null",
                  "string"
                ],
                "doc": "Reason in the words of the ESP or of the receiving server.",
                "default": null
              },
              {
                "name": "bounce_class",
                "type": [
                  "null",
                  "string"
                ],
                "values": [
                  "hard",
                  "soft",
                  "undetermined"
                ],
                "doc": "hard: the address is bad for good. soft: it may work later, or the message was refused. undetermined: the ESP does not say.",
                "default": null
              },
              {
                "name": "bounce_category",
                "type": [
                  "null",
                  "string"
                ],
                "values": [
                  "invalid_mailbox",
                  "mailbox_full",
                  "domain_not_found",
                  "policy",
                  "spam",
                  "content",
                  "too_large",
                  "timeout",
                  "relay",
                  "other"
                ],
                "doc": "Cause of the bounce.",
                "default": null
              },
              {
                "name": "drop_reason",
                "type": [
                  "null",
                  "string"
                ],
                "values": [
                  "bounced",
                  "unsubscribed",
                  "complained",
                  "invalid",
                  "spam",
                  "expired",
                  "content",
                  "other"
                ],
                "doc": "Why the ESP did not attempt delivery.",
                "default": null
              },
              {
                "name": "user_agent",
                "type": [
                  "null",
                  "string"
                ],
                "doc": "User agent of the recipient's client or of its proxy.",
                "default": null
              },
              {
                "name": "ip",
                "type": [
                  "null",
                  "string"
                ],
                "doc": "IP address of the recipient's client or of its proxy.",
                "default": null
              },
              {
                "name": "is_machine",
                "type": [
                  "null",
                  "boolean"
                ],
                "doc": "True: a machine did it (privacy proxy, prefetch, scanner). False: the ESP says a person did. Null: the ESP does not say.",
                "default": null
              },
              {
                "name": "url",
                "type": [
                  "null",
                  "string"
                ],
                "doc": "Link that was clicked.",
                "default": null
              },
              {
                "name": "feedback_type",
                "type": [
                  "null",
                  "string"
                ],
                "doc": "Feedback type of the complaint (RFC 5965), e.g. abuse, not-spam.",
                "default": null
              },
              {
                "name": "scope",
                "type": [
                  "null",
                  "string"
                ],
                "doc": "all, or the name of the stream that was left or joined.",
                "default": null
              },
              {
                "name": "method",
                "type": [
                  "null",
                  "string"
                ],
                "doc": "How: link, list_unsubscribe, api, manual …, in the ESP's words.",
                "default": null
              },
              {
                "name": "payload",
                "type": [
                  "null",
                  "string"
                ],
                "doc": "The ESP's item as JSON text.",
                "default": null
              },
              {
                "name": "known_as",
                "type": {
                  "type": "array",
                  "items": "string"
                },
                "default": [],
                "doc": "Other ids that a copy of this event may have been given, by an earlier version or before the account was named: it is a duplicate if any of them was seen."
              }
            ]
          }
        },
        "doc": "In the order in which they were received."
      },
      {
        "name": "actions",
        "type": {
          "type": "array",
          "items": {
            "type": "record",
            "name": "OperatorAction",
            "namespace": "email_events",
            "doc": "What an operator ordered about a recipient: who, when and why. It travels with the events of the recipient's partition, and is put on a topic of its own once it was taken.",
            "fields": [
              {
                "name": "action_id",
                "type": "string",
                "doc": "32 hex digits; the same for a repetition of the same order."
              },
              {
                "name": "kind",
                "type": "string",
                "values": [
                  "suppress",
                  "lift",
                  "retract"
                ],
                "doc": "suppress: send nothing, or nothing of a scope. lift: what is known up to now does not count any more. retract: what a source said in a time does not count, whenever it comes."
              },
              {
                "name": "recipient",
                "type": "string",
                "doc": "Recipient key."
              },
              {
                "name": "at",
                "type": {
                  "type": "long",
                  "logicalType": "timestamp-millis"
                },
                "doc": "When it was ordered, by the clock of the command; never later than when it was taken."
              },
              {
                "name": "by",
                "type": "string",
                "doc": "Who ordered it."
              },
              {
                "name": "why",
                "type": "string",
                "doc": "Why."
              },
              {
                "name": "reason",
                "type": [
                  "null",
                  "string"
                ],
                "default": null,
                "doc": "lift: the reason that is lifted, e.g. complaint; null: every one."
              },
              {
                "name": "scope",
                "type": [
                  "null",
                  "string"
                ],
                "default": null,
                "doc": "suppress: all or a stream. lift: the scope that is lifted; null: every one."
              },
              {
                "name": "source",
                "type": [
                  "null",
                  "string"
                ],
                "default": null,
                "doc": "retract: the configured webhook."
              },
              {
                "name": "from",
                "type": [
                  "null",
                  {
                    "type": "long",
                    "logicalType": "timestamp-millis"
                  }
                ],
                "default": null,
                "doc": "retract: what was received from then on."
              },
              {
                "name": "to",
                "type": [
                  "null",
                  {
                    "type": "long",
                    "logicalType": "timestamp-millis"
                  }
                ],
                "default": null,
                "doc": "retract: what was received before then."
              },
              {
                "name": "changed",
                "type": [
                  "null",
                  "boolean"
                ],
                "default": null,
                "doc": "On the topic: whether what is suppressed changed by it."
              },
              {
                "name": "taken_at",
                "type": [
                  "null",
                  {
                    "type": "long",
                    "logicalType": "timestamp-millis"
                  }
                ],
                "default": null,
                "doc": "On the topic: when it was taken."
              }
            ]
          }
        },
        "default": [],
        "doc": "What an operator orders about recipients of this partition; taken before the events."
      }
    ]
  },
  "suppression": {
    "type": "record",
    "name": "Suppression",
    "namespace": "email_events",
    "doc": "A recipient's whole suppression state. The newest record of a key replaces all earlier ones.",
    "fields": [
      {
        "name": "recipient",
        "type": "string",
        "doc": "Recipient key: trimmed, lower-cased address with its domain in ASCII form. Equals the record's key."
      },
      {
        "name": "suppressed",
        "type": "boolean",
        "doc": "True: send nothing to this recipient, i.e. an active reason has scope all."
      },
      {
        "name": "reasons",
        "type": {
          "type": "array",
          "items": {
            "type": "record",
            "name": "SuppressionReason",
            "fields": [
              {
                "name": "reason",
                "type": "string",
                "values": [
                  "hard_bounce",
                  "complaint",
                  "unsubscribe",
                  "soft_bounces",
                  "manual"
                ],
                "doc": "Why."
              },
              {
                "name": "scope",
                "type": "string",
                "doc": "all, the name of the stream that the recipient left, or account:<name> for all streams of an account."
              },
              {
                "name": "since",
                "type": {
                  "type": "long",
                  "logicalType": "timestamp-millis"
                },
                "doc": "When the event that is the reason occurred."
              },
              {
                "name": "esp",
                "type": "string",
                "doc": "ESP that reported it."
              },
              {
                "name": "source",
                "type": "string",
                "doc": "Configured webhook that reported it."
              },
              {
                "name": "event_id",
                "type": "string",
                "doc": "Event that is the reason."
              },
              {
                "name": "detail",
                "type": [
                  "null",
                  "string"
                ],
                "default": null,
                "doc": "Diagnostic, feedback type or method; why, if an operator did it."
              },
              {
                "name": "account",
                "type": [
                  "null",
                  "string"
                ],
                "default": null,
                "doc": "Account of the source; null if none is named."
              }
            ]
          }
        },
        "doc": "Active reasons, by reason and scope. Empty: nothing is suppressed."
      },
      {
        "name": "changed_at",
        "type": {
          "type": "long",
          "logicalType": "timestamp-millis"
        },
        "doc": "When the event that led to this state occurred."
      },
      {
        "name": "event_id",
        "type": "string",
        "doc": "Event that led to this state, or the id of the operator's action."
      },
      {
        "name": "revision",
        "type": "long",
        "default": 0,
        "doc": "Orders the states of a recipient: the last one plus 1, or milliseconds of the clock if that is more. 0: from before there were revisions."
      }
    ]
  },
  "deadLetter": {
    "type": "record",
    "name": "DeadLetter",
    "namespace": "email_events",
    "doc": "A record, or one item of it, that a stage could not process.",
    "fields": [
      {
        "name": "stage",
        "type": "string",
        "doc": "Stage that gave up: normalize, events, sink-clickhouse, sink-crm …"
      },
      {
        "name": "code",
        "type": "string",
        "doc": "Error code."
      },
      {
        "name": "message",
        "type": "string",
        "doc": "What was wrong, without addresses or payload."
      },
      {
        "name": "attempts",
        "type": "int",
        "doc": "How often it was tried."
      },
      {
        "name": "first_at",
        "type": {
          "type": "long",
          "logicalType": "timestamp-millis"
        },
        "doc": "Time of the first failure."
      },
      {
        "name": "last_at",
        "type": {
          "type": "long",
          "logicalType": "timestamp-millis"
        },
        "doc": "Time of the last failure."
      },
      {
        "name": "origin_topic",
        "type": "string",
        "doc": "Topic of the original record."
      },
      {
        "name": "origin_partition",
        "type": "int",
        "doc": "Partition of the original record."
      },
      {
        "name": "origin_offset",
        "type": "long",
        "doc": "Offset of the original record."
      },
      {
        "name": "item_index",
        "type": [
          "null",
          "int"
        ],
        "default": null,
        "doc": "Which item of the record; null: the whole record."
      },
      {
        "name": "item",
        "type": [
          "null",
          "bytes"
        ],
        "default": null,
        "doc": "The bad item's own bytes, where it could be cut out."
      },
      {
        "name": "esp",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "ESP, if known."
      },
      {
        "name": "source",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "Configured webhook, if known."
      },
      {
        "name": "request_id",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "Request id, if known."
      },
      {
        "name": "key",
        "type": [
          "null",
          "bytes"
        ],
        "default": null,
        "doc": "Key of the original record."
      },
      {
        "name": "value",
        "type": [
          "null",
          "bytes"
        ],
        "default": null,
        "doc": "Value of the original record, byte for byte. Null when another dead letter of the same record (its first bad item) carries it."
      },
      {
        "name": "headers",
        "type": {
          "type": "map",
          "values": "bytes"
        },
        "default": {},
        "doc": "Headers of the original record."
      },
      {
        "name": "recorded_at",
        "type": [
          "null",
          {
            "type": "long",
            "logicalType": "timestamp-millis"
          }
        ],
        "default": null,
        "doc": "Time at which the original record was written to its topic."
      },
      {
        "name": "status",
        "type": "string",
        "default": "open",
        "doc": "open, replayed or discarded. The newest letter with the same key and stage counts."
      },
      {
        "name": "status_at",
        "type": [
          "null",
          {
            "type": "long",
            "logicalType": "timestamp-millis"
          }
        ],
        "default": null,
        "doc": "When an operator replayed or discarded it."
      },
      {
        "name": "replays",
        "type": "int",
        "default": 0,
        "doc": "How often it was replayed."
      },
      {
        "name": "note",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "Why an operator discarded it."
      }
    ]
  },
  "seen": {
    "type": "record",
    "name": "SeenBatch",
    "namespace": "email_events",
    "doc": "What one transaction of events added to the state of its partition. Changelog of the dedupe store.",
    "fields": [
      {
        "name": "ids",
        "type": "bytes",
        "doc": "Event ids that were added, 16 bytes each."
      },
      {
        "name": "seen_at",
        "type": {
          "type": "long",
          "logicalType": "timestamp-millis"
        },
        "doc": "Time that decides their expiry."
      },
      {
        "name": "received",
        "type": "long",
        "doc": "Events read from this partition since the beginning."
      },
      {
        "name": "emitted",
        "type": "long",
        "doc": "… of these, written to a typed topic."
      },
      {
        "name": "duplicates",
        "type": "long",
        "doc": "… of these, dropped as duplicates."
      },
      {
        "name": "dead_lettered",
        "type": "long",
        "doc": "… of these, dead-lettered by events."
      },
      {
        "name": "barrier",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "Set on the record that a new owner of the partition writes before it restores: the end of what it must read."
      }
    ]
  },
  "recipientState": {
    "type": "record",
    "name": "RecipientState",
    "namespace": "email_events",
    "doc": "What events knows of a recipient in order to decide suppression. Changelog of the recipient store, compacted by recipient key.",
    "fields": [
      {
        "name": "hard_bounce",
        "type": [
          "null",
          {
            "type": "record",
            "name": "Evidence",
            "fields": [
              {
                "name": "at",
                "type": "long",
                "doc": "occurred_at of the event."
              },
              {
                "name": "esp",
                "type": "string",
                "doc": "ESP that reported it."
              },
              {
                "name": "source",
                "type": "string",
                "doc": "Configured webhook that reported it."
              },
              {
                "name": "event_id",
                "type": "string",
                "doc": "The event."
              },
              {
                "name": "detail",
                "type": [
                  "null",
                  "string"
                ],
                "default": null,
                "doc": "Diagnostic, feedback type or method."
              },
              {
                "name": "received_at",
                "type": [
                  "null",
                  "long"
                ],
                "default": null,
                "doc": "received_at of the event; null from before it was kept."
              }
            ]
          }
        ],
        "default": null,
        "doc": "Earliest hard bounce. This and the four below: written before accounts were told apart, only read now."
      },
      {
        "name": "complaint",
        "type": [
          "null",
          "Evidence"
        ],
        "default": null,
        "doc": "Earliest complaint."
      },
      {
        "name": "subscriptions",
        "type": {
          "type": "array",
          "items": {
            "type": "record",
            "name": "ScopeState",
            "fields": [
              {
                "name": "scope",
                "type": "string",
                "doc": "all or a stream."
              },
              {
                "name": "unsubscribed",
                "type": [
                  "null",
                  "Evidence"
                ],
                "default": null,
                "doc": "Latest unsubscribe."
              },
              {
                "name": "subscribed_at",
                "type": [
                  "null",
                  "long"
                ],
                "default": null,
                "doc": "Latest resubscribe."
              }
            ]
          }
        },
        "default": [],
        "doc": "By scope, sorted by scope."
      },
      {
        "name": "soft_bounces",
        "type": {
          "type": "array",
          "items": "Evidence"
        },
        "default": [],
        "doc": "Newest soft bounces after the last delivery, oldest first, bounded."
      },
      {
        "name": "delivered_at",
        "type": [
          "null",
          "long"
        ],
        "default": null,
        "doc": "Latest delivery."
      },
      {
        "name": "accounts",
        "type": {
          "type": "array",
          "items": {
            "type": "record",
            "name": "AccountState",
            "doc": "What one account said. Of several of a kind a selection is kept, of each source, that does not depend on their order: the one that counts, and those received first and last, so that taking some back leaves the others.",
            "fields": [
              {
                "name": "account",
                "type": "string",
                "doc": "Account of the source; the ESP where none is named. account:<name>: what its sources say that may suppress its own streams only. *: what lifts for every account. Empty: what was learnt before accounts were told apart and says no ESP."
              },
              {
                "name": "hard_bounces",
                "type": {
                  "type": "array",
                  "items": "Evidence"
                },
                "default": [],
                "doc": "Earliest, latest, received first, received last."
              },
              {
                "name": "complaints",
                "type": {
                  "type": "array",
                  "items": "Evidence"
                },
                "default": [],
                "doc": "Earliest, latest, received first, received last."
              },
              {
                "name": "scopes",
                "type": {
                  "type": "array",
                  "items": {
                    "type": "record",
                    "name": "AccountScope",
                    "fields": [
                      {
                        "name": "scope",
                        "type": "string",
                        "doc": "all, a stream, or * for streams that are not kept apart any more."
                      },
                      {
                        "name": "unsubscribes",
                        "type": {
                          "type": "array",
                          "items": "Evidence"
                        },
                        "default": [],
                        "doc": "Latest, received first, received last."
                      },
                      {
                        "name": "subscribes",
                        "type": {
                          "type": "array",
                          "items": "Evidence"
                        },
                        "default": [],
                        "doc": "Latest, received first, received last."
                      }
                    ]
                  }
                },
                "default": [],
                "doc": "By scope, sorted by scope."
              },
              {
                "name": "soft_bounces",
                "type": {
                  "type": "array",
                  "items": "Evidence"
                },
                "default": [],
                "doc": "Newest soft bounces after the last delivery, oldest first, bounded."
              },
              {
                "name": "delivered_at",
                "type": [
                  "null",
                  "long"
                ],
                "default": null,
                "doc": "Latest delivery."
              }
            ]
          }
        },
        "default": [],
        "doc": "By account, sorted by account."
      },
      {
        "name": "words",
        "type": {
          "type": "array",
          "items": {
            "type": "record",
            "name": "OperatorWord",
            "doc": "What of an operator's action still counts.",
            "fields": [
              {
                "name": "kind",
                "type": "string",
                "doc": "suppress, lift or retract."
              },
              {
                "name": "at",
                "type": "long",
                "doc": "When it was ordered."
              },
              {
                "name": "action_id",
                "type": "string",
                "doc": "The action."
              },
              {
                "name": "by",
                "type": "string",
                "doc": "Who ordered it."
              },
              {
                "name": "why",
                "type": "string",
                "doc": "Why, cut."
              },
              {
                "name": "reason",
                "type": [
                  "null",
                  "string"
                ],
                "default": null,
                "doc": "lift: the reason that is lifted; null: every one."
              },
              {
                "name": "scope",
                "type": [
                  "null",
                  "string"
                ],
                "default": null,
                "doc": "suppress: its scope. lift: the scope that is lifted; null: every one."
              },
              {
                "name": "source",
                "type": [
                  "null",
                  "string"
                ],
                "default": null,
                "doc": "retract: the source whose word does not count."
              },
              {
                "name": "from",
                "type": [
                  "null",
                  "long"
                ],
                "default": null,
                "doc": "retract: received from then on."
              },
              {
                "name": "to",
                "type": [
                  "null",
                  "long"
                ],
                "default": null,
                "doc": "retract: received before then."
              }
            ]
          }
        },
        "default": [],
        "doc": "Bounded."
      },
      {
        "name": "revision",
        "type": "long",
        "default": 0,
        "doc": "Of the last record on email.suppressions; 0: none."
      },
      {
        "name": "barrier",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "Set on the record that a new owner of the partition writes before it restores."
      }
    ]
  },
  "operatorAction": {
    "type": "record",
    "name": "OperatorAction",
    "namespace": "email_events",
    "doc": "What an operator ordered about a recipient: who, when and why. It travels with the events of the recipient's partition, and is put on a topic of its own once it was taken.",
    "fields": [
      {
        "name": "action_id",
        "type": "string",
        "doc": "32 hex digits; the same for a repetition of the same order."
      },
      {
        "name": "kind",
        "type": "string",
        "values": [
          "suppress",
          "lift",
          "retract"
        ],
        "doc": "suppress: send nothing, or nothing of a scope. lift: what is known up to now does not count any more. retract: what a source said in a time does not count, whenever it comes."
      },
      {
        "name": "recipient",
        "type": "string",
        "doc": "Recipient key."
      },
      {
        "name": "at",
        "type": {
          "type": "long",
          "logicalType": "timestamp-millis"
        },
        "doc": "When it was ordered, by the clock of the command; never later than when it was taken."
      },
      {
        "name": "by",
        "type": "string",
        "doc": "Who ordered it."
      },
      {
        "name": "why",
        "type": "string",
        "doc": "Why."
      },
      {
        "name": "reason",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "lift: the reason that is lifted, e.g. complaint; null: every one."
      },
      {
        "name": "scope",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "suppress: all or a stream. lift: the scope that is lifted; null: every one."
      },
      {
        "name": "source",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "retract: the configured webhook."
      },
      {
        "name": "from",
        "type": [
          "null",
          {
            "type": "long",
            "logicalType": "timestamp-millis"
          }
        ],
        "default": null,
        "doc": "retract: what was received from then on."
      },
      {
        "name": "to",
        "type": [
          "null",
          {
            "type": "long",
            "logicalType": "timestamp-millis"
          }
        ],
        "default": null,
        "doc": "retract: what was received before then."
      },
      {
        "name": "changed",
        "type": [
          "null",
          "boolean"
        ],
        "default": null,
        "doc": "On the topic: whether what is suppressed changed by it."
      },
      {
        "name": "taken_at",
        "type": [
          "null",
          {
            "type": "long",
            "logicalType": "timestamp-millis"
          }
        ],
        "default": null,
        "doc": "On the topic: when it was taken."
      }
    ]
  },
  "tokens": {
    "type": "record",
    "name": "TokenBatch",
    "namespace": "email_events",
    "doc": "Tokens of requests whose signature covers nothing else, and the bodies that came with them first. Changelog of normalize, by partition of email.raw.",
    "fields": [
      {
        "name": "entries",
        "type": "bytes",
        "doc": "32 bytes each: digest of source and token (16), digest of the body (16)."
      },
      {
        "name": "seen_at",
        "type": {
          "type": "long",
          "logicalType": "timestamp-millis"
        },
        "doc": "When the newest of the requests was received: decides when they are forgotten."
      },
      {
        "name": "barrier",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "Set on the record that a new owner of the partition writes before it restores."
      }
    ]
  },
  "eventMark": {
    "type": "record",
    "name": "EventMark",
    "namespace": "email_events",
    "doc": "An event does not count in reports, or counts again. It stays where it is. The newest mark of an event counts.",
    "fields": [
      {
        "name": "event_id",
        "type": "string",
        "doc": "The event."
      },
      {
        "name": "mark",
        "type": "string",
        "values": [
          "forged",
          "superseded",
          "none"
        ],
        "doc": "forged: somebody who was not meant to wrote it. superseded: today's mapping reads the same item as another event. none: it counts again."
      },
      {
        "name": "change",
        "type": "int",
        "doc": "What this mark adds to the number of events that do not count: 1, -1, or 0 if it counted so before."
      },
      {
        "name": "replaced_by",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "superseded: the event that the item is now."
      },
      {
        "name": "at",
        "type": {
          "type": "long",
          "logicalType": "timestamp-millis"
        },
        "doc": "When it was marked."
      },
      {
        "name": "by",
        "type": "string",
        "doc": "Who marked it."
      },
      {
        "name": "why",
        "type": "string",
        "doc": "Why."
      },
      {
        "name": "type",
        "type": "string",
        "doc": "Type of the event. This and all below: as the event has them."
      },
      {
        "name": "occurred_at",
        "type": {
          "type": "long",
          "logicalType": "timestamp-millis"
        },
        "doc": "When it happened."
      },
      {
        "name": "received_at",
        "type": {
          "type": "long",
          "logicalType": "timestamp-millis"
        },
        "doc": "When it was received."
      },
      {
        "name": "esp",
        "type": "string",
        "doc": "Email service provider."
      },
      {
        "name": "source",
        "type": "string",
        "doc": "Configured webhook."
      },
      {
        "name": "account",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "Account of the source."
      },
      {
        "name": "recipient",
        "type": "string",
        "doc": "Recipient key; empty if none."
      },
      {
        "name": "recipient_domain",
        "type": "string",
        "doc": "Domain of the recipient."
      },
      {
        "name": "campaign",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "Campaign."
      },
      {
        "name": "variant",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "Variant."
      },
      {
        "name": "stream",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "Stream."
      },
      {
        "name": "bounce_class",
        "type": [
          "null",
          "string"
        ],
        "default": null,
        "doc": "Bounce class."
      },
      {
        "name": "is_machine",
        "type": [
          "null",
          "boolean"
        ],
        "default": null,
        "doc": "Whether a machine did it."
      }
    ]
  }
} as const;
