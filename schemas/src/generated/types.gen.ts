// Generated from schemas/avro by `npm run gen`. Do not edit.

/** The fields that every event type has. */
export interface CommonFields {
  /** 32 hex digits; the same for every copy of the same event, so it is the key to deduplicate by. */
  event_id: string;
  /** When it happened: by the ESP's clock, unless occurred_at_source says otherwise. */
  occurred_at: number;
  /** Where occurred_at is from. esp: the ESP said so. received: it gave no readable time, so it is received_at. bounded: what it said is too far from received_at and was moved to the nearest time that is believed. */
  occurred_at_source: 'esp' | 'received' | 'bounded';
  /** What the ESP said of the time, where that is not occurred_at; cut to 100 characters. */
  occurred_at_said: null | string;
  /** When the ingress received the request that reported it. */
  received_at: number;
  /** Email service provider, e.g. sendgrid. */
  esp: string;
  /** Configured webhook that reported it: the last part of the webhook URL. */
  source: string;
  /** Account that the source belongs to, as configured; part of the identity. Null: the source names none. */
  account: null | string;
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

/** The ESP accepted the message for sending. */
export interface EmailQueued extends CommonFields {
}

/** The receiving server accepted the message. */
export interface EmailDelivered extends CommonFields {
  /** Answer of the receiving server. */
  smtp_response: null | string;
  /** Host name of the receiving server. */
  remote_mta: null | string;
}

/** Delivery failed for now; the ESP will try again. */
export interface EmailDeferred extends CommonFields {
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
export interface EmailBounced extends CommonFields {
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
export interface EmailDropped extends CommonFields {
  /** Why the ESP did not attempt delivery. */
  drop_reason: 'bounced' | 'unsubscribed' | 'complained' | 'invalid' | 'spam' | 'expired' | 'content' | 'other';
  /** Reason in the words of the ESP or of the receiving server. */
  diagnostic: null | string;
}

/** The message was opened. */
export interface EmailOpened extends CommonFields {
  /** User agent of the recipient's client or of its proxy. */
  user_agent: null | string;
  /** IP address of the recipient's client or of its proxy. */
  ip: null | string;
  /** True: a machine did it (privacy proxy, prefetch, scanner). False: the ESP says a person did. Null: the ESP does not say. */
  is_machine: null | boolean;
}

/** A link in the message was clicked. */
export interface EmailClicked extends CommonFields {
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
export interface EmailComplained extends CommonFields {
  /** Feedback type of the complaint (RFC 5965), e.g. abuse, not-spam. */
  feedback_type: null | string;
}

/** The recipient left all mail or one stream. */
export interface EmailUnsubscribed extends CommonFields {
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
export interface EmailSubscribed extends CommonFields {
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
export interface EmailOther extends CommonFields {
  /** The ESP's item as JSON text. */
  payload: string;
}

/** An event of any type. */
export interface EmailEvent extends CommonFields {
  /** Event type. */
  type: 'queued' | 'delivered' | 'deferred' | 'bounced' | 'dropped' | 'opened' | 'clicked' | 'complained' | 'unsubscribed' | 'subscribed' | 'other';
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
  /** Other ids that a copy of this event may have been given, by an earlier version or before the account was named: it is a duplicate if any of them was seen. */
  known_as: string[];
}

/** What an operator ordered about a recipient: who, when and why. It travels with the events of the recipient's partition, and is put on a topic of its own once it was taken. */
export interface OperatorAction {
  /** 32 hex digits; the same for a repetition of the same order. */
  action_id: string;
  /** suppress: send nothing, or nothing of a scope. lift: what is known up to now does not count any more. retract: what a source said in a time does not count, whenever it comes. erase: the address is forgotten; whether it may be mailed is not. */
  kind: 'suppress' | 'lift' | 'retract' | 'erase';
  /** Recipient key; of one that was erased what stands for it, ERASED: and 32 hex digits. */
  recipient: string;
  /** When it was ordered, by the clock of the command; never later than when it was taken. */
  at: number;
  /** Who ordered it. */
  by: string;
  /** Why. */
  why: string;
  /** lift: the reason that is lifted, e.g. complaint; null: every one. */
  reason: null | string;
  /** suppress: all or a stream. lift: the scope that is lifted; null: every one. */
  scope: null | string;
  /** retract: the configured webhook. */
  source: null | string;
  /** retract: what was received from then on. */
  from: null | number;
  /** retract: what was received before then. */
  to: null | number;
  /** On the topic: whether what is suppressed changed by it. */
  changed: null | boolean;
  /** On the topic: when it was taken. */
  taken_at: null | number;
}

/** The events of one transaction whose recipients belong to one partition. */
export interface NormalizedBatch {
  /** In the order in which they were received. */
  events: EmailEvent[];
  /** What an operator orders about recipients of this partition; taken before the events. */
  actions: OperatorAction[];
}

export interface SuppressionReason {
  /** Why. */
  reason: 'hard_bounce' | 'complaint' | 'unsubscribe' | 'soft_bounces' | 'manual';
  /** all, the name of the stream that the recipient left, or account:<name> for all streams of an account. */
  scope: string;
  /** When the event that is the reason occurred. */
  since: number;
  /** ESP that reported it. */
  esp: string;
  /** Configured webhook that reported it. */
  source: string;
  /** Event that is the reason. */
  event_id: string;
  /** Diagnostic, feedback type or method; why, if an operator did it. */
  detail: null | string;
  /** Account of the source; null if none is named. */
  account: null | string;
}

/** A recipient's whole suppression state. The newest record of a key replaces all earlier ones. */
export interface Suppression {
  /** Recipient key: trimmed, lower-cased address with its domain in ASCII form. Equals the record's key. ERASED: and 32 hex digits stand for an address that was erased and must not be mailed. */
  recipient: string;
  /** True: send nothing to this recipient, i.e. an active reason has scope all. */
  suppressed: boolean;
  /** Active reasons, by reason and scope. Empty: nothing is suppressed. */
  reasons: SuppressionReason[];
  /** When the event that led to this state occurred. */
  changed_at: number;
  /** Event that led to this state, or the id of the operator's action. */
  event_id: string;
  /** Orders the states of a recipient: the last one plus 1, or milliseconds of the clock if that is more. 0: from before there were revisions. */
  revision: number;
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
  /** … of these, dropped because their recipient was erased. */
  erased: number;
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
  /** received_at of the event; null from before it was kept. */
  received_at: null | number;
}

export interface ScopeState {
  /** all or a stream. */
  scope: string;
  /** Latest unsubscribe. */
  unsubscribed: null | Evidence;
  /** Latest resubscribe. */
  subscribed_at: null | number;
}

export interface AccountScope {
  /** all, a stream, or * for streams that are not kept apart any more. */
  scope: string;
  /** Latest, received first, received last. */
  unsubscribes: Evidence[];
  /** Latest, received first, received last. */
  subscribes: Evidence[];
}

/** What one account said. Of several of a kind a selection is kept, of each source, that does not depend on their order: the one that counts, and those received first and last, so that taking some back leaves the others. */
export interface AccountState {
  /** Account of the source; the ESP where none is named. account:<name>: what its sources say that may suppress its own streams only. *: what lifts for every account. Empty: what was learnt before accounts were told apart and says no ESP. */
  account: string;
  /** Earliest, latest, received first, received last. */
  hard_bounces: Evidence[];
  /** Earliest, latest, received first, received last. */
  complaints: Evidence[];
  /** By scope, sorted by scope. */
  scopes: AccountScope[];
  /** Newest soft bounces after the last delivery, oldest first, bounded. */
  soft_bounces: Evidence[];
  /** Latest delivery. */
  delivered_at: null | number;
}

/** What of an operator's action still counts. */
export interface OperatorWord {
  /** suppress, lift or retract. */
  kind: string;
  /** When it was ordered. */
  at: number;
  /** The action. */
  action_id: string;
  /** Who ordered it. */
  by: string;
  /** Why, cut. */
  why: string;
  /** lift: the reason that is lifted; null: every one. */
  reason: null | string;
  /** suppress: its scope. lift: the scope that is lifted; null: every one. */
  scope: null | string;
  /** retract: the source whose word does not count. */
  source: null | string;
  /** retract: received from then on. */
  from: null | number;
  /** retract: received before then. */
  to: null | number;
}

/** What events knows of a recipient in order to decide suppression. Changelog of the recipient store, compacted by recipient key. */
export interface RecipientState {
  /** Earliest hard bounce. This and the four below: written before accounts were told apart, only read now. */
  hard_bounce: null | Evidence;
  /** Earliest complaint. */
  complaint: null | Evidence;
  /** By scope, sorted by scope. */
  subscriptions: ScopeState[];
  /** Newest soft bounces after the last delivery, oldest first, bounded. */
  soft_bounces: Evidence[];
  /** Latest delivery. */
  delivered_at: null | number;
  /** By account, sorted by account. */
  accounts: AccountState[];
  /** Bounded. */
  words: OperatorWord[];
  /** Of the last record on email.suppressions; 0: none. */
  revision: number;
  /** When the recipient was erased. The key is then what stands for it, and nothing here names it. */
  erased_at: null | number;
  /** Set on the record that a new owner of the partition writes before it restores. */
  barrier: null | string;
}

/** Tokens of requests whose signature covers nothing else, and the bodies that came with them first. Changelog of normalize, by partition of email.raw. */
export interface TokenBatch {
  /** 32 bytes each: digest of source and token (16), digest of the body (16). */
  entries: Buffer;
  /** When the newest of the requests was received: decides when they are forgotten. */
  seen_at: number;
  /** Set on the record that a new owner of the partition writes before it restores. */
  barrier: null | string;
}

/** An event does not count in reports, or counts again. It stays where it is. The newest mark of an event counts. */
export interface EventMark {
  /** The event. */
  event_id: string;
  /** forged: somebody who was not meant to wrote it. superseded: today's mapping reads the same item as another event. none: it counts again. */
  mark: 'forged' | 'superseded' | 'none';
  /** What this mark adds to the number of events that do not count: 1, -1, or 0 if it counted so before. */
  change: number;
  /** superseded: the event that the item is now. */
  replaced_by: null | string;
  /** When it was marked. */
  at: number;
  /** Who marked it. */
  by: string;
  /** Why. */
  why: string;
  /** Type of the event. This and all below: as the event has them. */
  type: string;
  /** When it happened. */
  occurred_at: number;
  /** When it was received. */
  received_at: number;
  /** Email service provider. */
  esp: string;
  /** Configured webhook. */
  source: string;
  /** Account of the source. */
  account: null | string;
  /** Recipient key; empty if none. */
  recipient: string;
  /** Domain of the recipient. */
  recipient_domain: string;
  /** Campaign. */
  campaign: null | string;
  /** Variant. */
  variant: null | string;
  /** Stream. */
  stream: null | string;
  /** Bounce class. */
  bounce_class: null | string;
  /** Whether a machine did it. */
  is_machine: null | boolean;
}

/** Something is wrong with the mail, or is so no more. An alert has two records of the same alert_id: firing and resolved. The newest record of a key is the state of what it is about. */
export interface Alert {
  /** 32 hex digits; the same when it fires and when it resolves, another the next time. */
  alert_id: string;
  /** Whether it holds. */
  status: 'firing' | 'resolved';
  /** bounce_rate: of delivered and bounced. complaint_rate: of delivered, within 24 hours, as mailbox providers judge senders. deferral_rate: of all attempts. blocked: a mailbox provider that took mail suddenly refuses or defers it. silence: nothing is reported where something is at that time. */
  rule: 'bounce_rate' | 'complaint_rate' | 'deferral_rate' | 'blocked' | 'silence';
  /** warning, critical: the threshold of that name is passed. rise: it is below both, and far above what it was in the 24 hours before. */
  level: 'warning' | 'critical' | 'rise';
  /** ESP whose reports it is about. */
  esp: string;
  /** Configured webhook whose reports it is about. */
  source: string;
  /** Stream that it is about; null: all of them. *: streams beyond the first fifty of a source, together. */
  stream: null | string;
  /** Mailbox provider of the recipients that it is about, as in ClickHouse's mailbox_provider; null: all of them. */
  provider: null | string;
  /** When it began to fire. */
  started_at: number;
  /** When it was over; null while it fires. */
  resolved_at: null | number;
  /** Beginning of the window that was judged, by received_at; of silence: when the last report was received. */
  window_from: number;
  /** End of that window. */
  window_to: number;
  /** The rate, from 0 to 1; of silence: its length in minutes. */
  value: number;
  /** Above which it fires, in the unit of value. */
  threshold: number;
  /** The rate in the 24 hours before the window; null: there were too few. */
  past: null | number;
  /** Events that count against: bounces, complaints, deferrals. Of silence 0. */
  events: number;
  /** Events that it is a rate of. Of silence: reports in the same hours of the days before, on average. */
  of: number;
  /** pause: send no more of what source, stream and provider name until the cause is known. slow_down: send less a minute. fail_over: send it by another ESP. check_webhook: at the ESP. check_pipeline: every source is silent, so look at the intake first. */
  advice: 'watch' | 'pause' | 'slow_down' | 'fail_over' | 'check_webhook' | 'check_pipeline';
  /** The same in a sentence. */
  summary: string;
}

export interface MailCounts {
  /** Beginning. */
  from: number;
  /** Messages that were delivered. */
  delivered: number;
  /** Messages that bounced. */
  bounced: number;
  /** … of these, for policy or as spam. */
  blocked: number;
  /** Attempts that were deferred. */
  deferred: number;
  /** Complaints. */
  complained: number;
  /** Reports of any kind. */
  all: number;
}

/** Reports of a source: all of them, or those of one stream to one mailbox provider. */
export interface MailWindow {
  /** ESP. */
  esp: string;
  /** Configured webhook. */
  source: string;
  /** Stream; empty: of none; *: of those beyond the first fifty. Null, as provider is: all reports of the source. */
  stream: null | string;
  /** Mailbox provider; empty: the recipient has no domain. */
  provider: null | string;
  /** received_at of the newest. */
  last_at: number;
  /** By five minutes, oldest first. */
  minutes: MailCounts[];
  /** By hour, oldest first; those of minutes included. */
  hours: MailCounts[];
}

export interface MailPosition {
  /** Ids of the newest batches that are in the windows, newest last. */
  batches: string[];
  /** Up to when the windows were judged; 0: never. */
  judged_at: number;
}

/** What was reported lately, by received_at: the state of the alerts, and of whatever else is decided by rates. Compacted by key. One of the two fields is set. */
export interface MailWindowState {
  /** Under its key. */
  window: null | MailWindow;
  /** Under the key position. */
  position: null | MailPosition;
}
