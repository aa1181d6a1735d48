import { EVENT_TYPES, type EventType } from './event-types.ts';
import type { schemas } from './generated/schemas.gen.ts';

export type SchemaKey = keyof typeof schemas;

/** Every topic name of the pipeline. Nothing else spells one. */
export const topics = {
  raw: 'email.raw',
  quarantine: 'email.quarantine',
  normalized: 'email.internal.normalized',
  seen: 'email.internal.seen',
  tokens: 'email.internal.tokens',
  recipientState: 'email.internal.recipient-state',
  replays: 'email.internal.replays',
  suppressions: 'email.suppressions',
  operatorActions: 'email.operator-actions',
  eventMarks: 'email.event-marks',
  alerts: 'email.alerts',
  mailWindows: 'email.internal.mail-windows',
  deadLetters: 'email.dead-letters',
  events: (type: EventType) => `email.events.${type}` as const,
} as const;

export const eventTopics: readonly string[] = EVENT_TYPES.map(topics.events);

/** The event type that a topic carries, or undefined if it is no event topic. */
export function eventTypeOf(topic: string): EventType | undefined {
  return EVENT_TYPES.find((type) => topics.events(type) === topic);
}

export interface TopicSpec {
  readonly name: string;
  /** Schema of its values; null: plain bytes. */
  readonly schema: SchemaKey | null;
  readonly partitions: number;
  readonly replicationFactor: number;
  /** Topic-level broker settings. */
  readonly config: { readonly [name: string]: string };
  readonly doc: string;
}

export interface TopicSettings {
  /** Partitions of email.raw. */
  readonly rawPartitions: number;
  /** Partitions of all topics that are keyed by recipient: they must agree, since they are co-partitioned. */
  readonly partitions: number;
  readonly deadLetterPartitions: number;
  readonly replicationFactor: number;
  readonly minInsyncReplicas: number;
  /** Bytes of the largest body of a request. */
  readonly maxRequestBytes: number;
  /** Bytes that email.quarantine may take. */
  readonly quarantineBytes: number;
  readonly retention: {
    readonly rawDays: number;
    readonly normalizedDays: number;
    /** The dedupe window. */
    readonly seenDays: number;
    readonly eventsDays: number;
    readonly deadLettersDays: number;
    readonly quarantineHours: number;
    /** Days after which Kafka compacts what names recipients. */
    readonly compactionDays: number;
  };
}

const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;
/** A token is good for 25 hours at most; a request that comes late must still find the first one. */
const TOKEN_DAYS = 4;
/** What was wrong with the mail can be read for so long; what is wrong now, for good. */
const ALERT_DAYS = 90;
const MIB = 1_048_576;

/** Bytes of a record of email.raw besides the body, and of a dead letter besides the record; a generous bound. */
const RAW_BESIDES = 131_072;
const LETTER_BESIDES = 262_144;

/** Bytes of the largest record of email.raw. */
export function largestRawRecord({ maxRequestBytes }: Pick<TopicSettings, 'maxRequestBytes'>): number {
  return maxRequestBytes + RAW_BESIDES;
}

const keptFor = (days: number) => ({ 'cleanup.policy': 'delete', 'retention.ms': String(days * DAY_MS) });
/** For some hours and bytes. A segment goes as a whole: what has expired, or is too much, must not wait for a week's worth, or for a gibibyte. */
const heldFor = (hours: number, most: number, largestRecord: number) => ({
  'cleanup.policy': 'delete',
  'retention.ms': String(hours * HOUR_MS),
  'retention.bytes': String(most),
  'segment.bytes': String(Math.max(Math.floor(most / 8), 2 * largestRecord)),
  'segment.ms': String(Math.ceil((hours * HOUR_MS) / 8)),
});
const keptForEver = { 'cleanup.policy': 'delete', 'retention.ms': '-1' };
const compacted = { 'cleanup.policy': 'compact' };
/**
 * The newest of each key for good. Older ones, which may be of who was erased, are gone some days after a newer one, where records keep coming; the end of a key
 * itself is kept for as long again, so that a store that was away for less notices it.
 */
const compactedWithin = (days: number) => ({
  ...compacted,
  'max.compaction.lag.ms': String(days * DAY_MS),
  'delete.retention.ms': String(days * DAY_MS),
});
/** The newest of each key for good, and all of them for so long. */
const compactedAfter = (days: number) => ({
  'cleanup.policy': 'compact',
  'min.compaction.lag.ms': String(days * DAY_MS),
});
const bytes = (max: number) => ({ 'max.message.bytes': String(max) });

/** Makes a topic as all of them are, where nothing else is said. */
const specsOf =
  (settings: TopicSettings) =>
  (
    name: string,
    schema: SchemaKey | null,
    doc: string,
    config: { [name: string]: string },
    partitions = settings.partitions,
  ): TopicSpec => ({
    name,
    schema,
    doc,
    partitions,
    replicationFactor: settings.replicationFactor,
    config: { 'min.insync.replicas': String(settings.minInsyncReplicas), ...config },
  });

/** A topic as `topics apply` makes it. */
export function topicCatalogue(settings: TopicSettings): TopicSpec[] {
  const { retention } = settings;
  const [topic, rawBytes] = [specsOf(settings), largestRawRecord(settings)];
  // A dead letter carries the record whole.
  const letterBytes = Math.max(4 * MIB, rawBytes + LETTER_BESIDES);
  const states = compactedWithin(retention.compactionDays);

  return [
    topic(
      topics.raw,
      null,
      'Requests of ESPs, byte for byte.',
      { ...keptFor(retention.rawDays), ...bytes(rawBytes) },
      settings.rawPartitions,
    ),
    topic(
      topics.quarantine,
      null,
      'Requests that failed their verification, of sources that keep them.',
      { ...heldFor(retention.quarantineHours, settings.quarantineBytes, rawBytes), ...bytes(rawBytes) },
      1,
    ),
    topic(topics.normalized, 'normalized', 'Events before deduplication, in batches.', {
      ...keptFor(retention.normalizedDays),
      ...bytes(4 * MIB),
    }),
    topic(topics.seen, 'seen', 'Changelog of the dedupe store.', keptFor(retention.seenDays)),
    topic(
      topics.tokens,
      'tokens',
      'Changelog of tokens that requests may use once.',
      keptFor(TOKEN_DAYS),
      settings.rawPartitions,
    ),
    topic(topics.recipientState, 'recipientState', 'Changelog of the recipient store.', states),
    topic(topics.replays, null, 'Records that a sink refused, put back for that sink alone.', {
      ...keptFor(retention.eventsDays),
      ...bytes(letterBytes),
    }),
    ...EVENT_TYPES.map((type) =>
      topic(topics.events(type), type, `Events of type ${type}.`, {
        ...keptFor(retention.eventsDays),
        ...bytes(2 * MIB),
      }),
    ),
    topic(topics.suppressions, 'suppression', 'Suppression state by recipient.', states),
    topic(
      topics.operatorActions,
      'operatorAction',
      'What operators ordered: who, when and why.',
      keptForEver,
    ),
    topic(topics.eventMarks, 'eventMark', 'Events that do not count in reports, and why.', keptForEver),
    // Of one partition: whether mail is in order is judged over all recipients, by one at a time.
    topic(
      topics.alerts,
      'alert',
      'What is wrong with the mail, and is no more.',
      compactedAfter(ALERT_DAYS),
      1,
    ),
    topic(topics.mailWindows, 'mailWindow', 'State of the alerts: what was reported lately.', compacted, 1),
    topic(
      topics.deadLetters,
      'deadLetter',
      'What a stage could not process.',
      { ...keptFor(retention.deadLettersDays), ...bytes(letterBytes) },
      settings.deadLetterPartitions,
    ),
  ];
}

/** Subject of a topic's values (Confluent's TopicNameStrategy). */
export const subjectOf = (topic: string) => `${topic}-value`;

/** A topic's values in the registry. */
export interface Subject {
  readonly name: string;
  readonly topic: string;
  readonly schema: SchemaKey;
}

const subject = (topic: string, schema: SchemaKey): Subject => ({ name: subjectOf(topic), topic, schema });

/** One for each topic that has a schema. */
export const subjects: readonly Subject[] = [
  ...EVENT_TYPES.map((type) => subject(topics.events(type), type)),
  subject(topics.suppressions, 'suppression'),
  subject(topics.deadLetters, 'deadLetter'),
  subject(topics.normalized, 'normalized'),
  subject(topics.seen, 'seen'),
  subject(topics.recipientState, 'recipientState'),
  subject(topics.tokens, 'tokens'),
  subject(topics.operatorActions, 'operatorAction'),
  subject(topics.eventMarks, 'eventMark'),
  subject(topics.alerts, 'alert'),
  subject(topics.mailWindows, 'mailWindow'),
];
