import { isPseudonym, keyedId, lagSince, PipelineError, pseudonymsOf, readTopic } from '@email-events/core';
import {
  type EmailEvent,
  eventTopics,
  type Suppression,
  type SuppressionReason,
  topics,
} from '@email-events/schemas';
import { type ClickHouse, isStoredPseudonym, keysAsked, storedAs } from '@email-events/sink-clickhouse';
import { consumerGroups, type PipelineConfig } from '../services.ts';
import type { SaidBySource } from './orders.ts';
import { readStates, type Suppressions } from './topic.ts';

/** The fields of an event that decide whether it suppresses, and the place of its bytes in `email.raw`. */
export type EvidenceRow = Pick<
  EmailEvent,
  'event_id' | 'type' | 'bounce_class' | 'feedback_type' | 'scope' | 'raw_partition' | 'item_index'
> & {
  readonly recipient: string;
  readonly raw_offset: number;
};

/** Recipients of one query: its text stays below ClickHouse's default limit of 256 KiB, with the keys of some rotations. */
const QUERY_RECIPIENTS = 200;

/**
 * Everything in ClickHouse that suppresses one of the recipients for good or until it is taken back, by recipient: under the ids that their states name,
 * also where rows have a keyed hash of them.
 */
export async function evidenceOf(
  clickhouse: ClickHouse,
  states: ReadonlyMap<string, Suppression>,
  config: PipelineConfig,
): Promise<Map<string, EvidenceRow[]>> {
  const recipients = [...states.keys()];
  const keys = pseudonymsOf(config);
  const eventIds = [...states.values()].flatMap(({ reasons }) => reasons.map(({ event_id }) => event_id));
  const idOf = new Map(eventIds.flatMap((id) => keys.map((by) => [keyedId(id, by), id] as const)));
  const found = new Map<string, EvidenceRow[]>();
  for (let start = 0; start < recipients.length; start += QUERY_RECIPIENTS) {
    const part = recipients.slice(start, start + QUERY_RECIPIENTS);
    const recipientOf = recipientsInRows(part, config);
    const among = [...recipientOf.keys()].map(quote).join(', ');
    const rows = await clickhouse.query<EvidenceRow & { readonly raw_offset: string | number }>(
      `SELECT recipient_key AS recipient, event_id, type, bounce_class, feedback_type, scope, raw_partition, raw_offset, item_index
       FROM email_events WHERE recipient_key IN (${among})
         AND ((type = 'bounced' AND bounce_class = 'hard') OR type IN ('complained', 'unsubscribed'))`,
    );
    for (const row of rows) {
      const recipient = recipientOf.get(row.recipient) ?? row.recipient;
      const own = found.get(recipient);
      const event_id = idOf.get(row.event_id) ?? row.event_id;
      const evidence = { ...row, event_id, recipient, raw_offset: Number(row.raw_offset) };
      if (own) own.push(evidence);
      else found.set(recipient, [evidence]);
    }
  }
  return found;
}

/** Recipients by the keys that rows may have for them. */
function recipientsInRows(
  recipients: readonly string[],
  config: PipelineConfig,
): ReadonlyMap<string, string> {
  return new Map(
    recipients.flatMap((recipient) => keysAsked(config, recipient).map((key) => [key, recipient] as const)),
  );
}

type Said = Pick<EmailEvent, 'type' | 'bounce_class' | 'feedback_type' | 'scope'>;

/** Whether an event is a reason of that kind. The rules are those of `events` ([suppression](processors/README.md#suppression)). */
export function gives(
  { type, bounce_class, feedback_type, scope }: Said,
  reason: Pick<SuppressionReason, 'reason' | 'scope'>,
): boolean {
  switch (reason.reason) {
    case 'hard_bounce':
      return type === 'bounced' && bounce_class === 'hard';
    case 'complaint':
      return type === 'complained' && feedback_type !== 'not-spam';
    case 'unsubscribe':
      return type === 'unsubscribed' && (scope ?? 'all') === reason.scope;
    default:
      return false;
  }
}

/** In a few words. */
export function labelOf({ type, bounce_class, feedback_type, scope }: Said): string {
  if (type === 'bounced') return `bounced, ${bounce_class}`;
  if (type === 'complained') return feedback_type === null ? type : `complained, ${feedback_type}`;
  return type === 'unsubscribed' || type === 'subscribed' ? `${type}, ${scope ?? 'all'}` : type;
}

/** Whom a source said something of that suppresses or lifts. */
export interface Concerned {
  readonly recipients: readonly string[];
  /** Recipients by the kind of event that the source reported; one may be counted under several. */
  readonly said: { readonly [kind: string]: number };
  /** Of the recipients: with an active reason that this source gave. */
  readonly suppressedByIt: number;
  /** Of the recipients: with a reason by it whose event ClickHouse does not hold, so that only `events` can tell when it came. */
  readonly unknownTime: number;
  /** Recipients of whom ClickHouse has a keyed hash and Kafka no address any more: they cannot be ordered about. */
  readonly unnamed: number;
}

/** Occurred_at may be this much after received_at at most. */
const SKEW_MS = 600_000;
/** Ids of one query: its text stays below ClickHouse's default limit of 256 KiB. */
const QUERY_IDS = 6_000;

/** SQL for events that can suppress a recipient, or lift a suppression that was right. */
const KIND = `multiIf(type = 'bounced', concat(ifNull(bounce_class, ''), ' bounce'), type = 'complained', 'complaint', type = 'unsubscribed', 'unsubscribe', 'subscribe')`;
const SAYS = `(type IN ('complained', 'unsubscribed', 'subscribed') OR (type = 'bounced' AND bounce_class IN ('hard', 'soft')))`;
const WHEN = `source = {source:String} AND received_at >= fromUnixTimestamp64Milli({from:Int64}) AND received_at < fromUnixTimestamp64Milli({to:Int64})`;

/**
 * All recipients whose state may be another without what the source said in that time: by ClickHouse, where a recipient is
 * found too whose suppression was lifted wrongly and of whom the suppression topic shows nothing; and by that topic, for
 * reasons whose events ClickHouse does not hold. That one is too many does no harm: `events` knows when each word was received.
 */
export async function concernedBy(
  from: Suppressions,
  clickhouse: ClickHouse,
  said: SaidBySource,
): Promise<Concerned> {
  const rows = await clickhouse.query<{ recipient: string; kinds: string[] }>(
    `SELECT recipient_key AS recipient, groupUniqArray(${KIND}) AS kinds FROM email_events
     WHERE ${WHEN} AND ${SAYS} AND recipient_key != '' GROUP BY recipient_key ORDER BY recipient_key`,
    { ...said },
  );
  const { recipients, unnamed } = await addressesOf(from, rows);
  const kinds: { [kind: string]: number } = {};
  for (const kind of rows.flatMap((row) => row.kinds)) kinds[kind] = (kinds[kind] ?? 0) + 1;
  const bySource = ({ source }: Suppression['reasons'][number]) => source === said.source;
  const states = await readStates(from, { wanted: ({ reasons }) => reasons.some(bySource) });
  // Whom a pseudonym stands for is not to be known.
  const others = [...states.values()].filter(
    ({ recipient }) => !recipients.has(recipient) && !isPseudonym(recipient),
  );
  const ids = others.flatMap(({ reasons }) => reasons.filter(bySource).map(({ event_id }) => event_id));
  const keys = pseudonymsOf(from.config);
  const inRows = (id: string) => [id, ...keys.map((by) => keyedId(id, by))];
  const held = await heldIds(clickhouse, ids.flatMap(inRows));
  const unknown = others.filter(({ reasons }) =>
    reasons.some(
      (reason) =>
        bySource(reason) &&
        !inRows(reason.event_id).some((id) => held.has(id)) &&
        reason.since < said.to + SKEW_MS,
    ),
  );
  const suppressedByIt = [...states.keys()].filter((recipient) => recipients.has(recipient)).length;
  return {
    recipients: [...recipients, ...unknown.map(({ recipient }) => recipient)],
    said: kinds,
    suppressedByIt: suppressedByIt + unknown.length,
    unknownTime: unknown.length,
    unnamed,
  };
}

/** Topics that name whom a source may have said something of that suppresses or lifts. */
const NAMING = [
  ...(['bounced', 'complained', 'unsubscribed', 'subscribed'] as const).map(topics.events),
  topics.suppressions,
];

/** Recipients of rows; those that rows have a keyed hash of by the keys of records in Kafka, which keeps states for good and events for some days. */
async function addressesOf(
  { config }: Suppressions,
  rows: readonly { readonly recipient: string }[],
): Promise<{ recipients: Set<string>; unnamed: number }> {
  const hashed = new Set(rows.map(({ recipient }) => recipient).filter(isStoredPseudonym));
  const recipients = new Set(rows.map(({ recipient }) => recipient).filter((key) => !hashed.has(key)));
  if (hashed.size === 0) return { recipients, unnamed: 0 };
  const keys = pseudonymsOf(config);
  await readTopic(config.kafka, {
    topics: NAMING,
    from: 'beginning',
    onRecord: ({ key }) => {
      const recipient = key?.toString() ?? '';
      if (recipient === '' || isPseudonym(recipient) || recipients.has(recipient)) return;
      for (const by of keys) if (hashed.delete(storedAs(recipient, by))) recipients.add(recipient);
    },
  });
  return { recipients, unnamed: hashed.size };
}

async function heldIds(clickhouse: ClickHouse, ids: readonly string[]): Promise<Set<string>> {
  const held = new Set<string>();
  for (let start = 0; start < ids.length; start += QUERY_IDS) {
    const part = ids.slice(start, start + QUERY_IDS);
    const rows = await clickhouse.query<{ event_id: string }>(
      `SELECT event_id FROM email_events WHERE event_id IN (${part.map(quote).join(', ')})`,
    );
    for (const { event_id } of rows) held.add(event_id);
  }
  return held;
}

/** For keys of recipients, which have no control characters, and for ids: ClickHouse's escapes are those of this language. */
const quote = (text: string) => `'${text.replaceAll(/['\\]/g, '\\$&')}'`;

/** Events that came out within this time may still be on their way to ClickHouse. */
const MARGIN_MS = 10_000;

/**
 * Makes sure that ClickHouse holds the events that came out up to a few seconds ago, for a caller that asks it which ones there are.
 * Throws CLI_SINK_BEHIND.
 */
export async function requireSinkInStep(config: PipelineConfig, now: number): Promise<void> {
  const group = consumerGroups(config).find(({ service }) => service === 'sink-clickhouse');
  if (!group) return;
  const behind = await lagSince(config.kafka, { ...group, topics: eventTopics }, now - MARGIN_MS);
  if (behind.length === 0) return;
  const partitions = behind.map(({ topic, partition }) => `${topic}/${partition}`).join(', ');
  throw new PipelineError(
    'CLI_SINK_BEHIND',
    'retry',
    `sink-clickhouse has not written all events yet: ${partitions}`,
  );
}
