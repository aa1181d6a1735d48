import { backoffMs, pause } from '../../retry.ts';
import { AnswerIncomplete, isRetriable } from '../errors.ts';
import { createErrorFromCode } from '../kafkajs/kafkajs.ts';
import type { Brokers } from './brokers.ts';
import type { OutMessage, ProduceQuery } from './produce-frame.ts';
import { produce } from './requests.ts';

/** Records for one partition that are sent in one piece, in this order. */
export interface PartitionBatch {
  readonly topic: string;
  readonly partition: number;
  readonly messages: readonly OutMessage[];
  /** Of an idempotent producer: the number of the first record, which it keeps however often it is sent. */
  readonly firstSequence?: number;
}

/** Base offset, or why there is none: then the records may be there all the same. */
export type Outcome = { readonly baseOffset: number } | { readonly error: unknown };

export interface ProduceOptions {
  /** No attempt begins after so long. Milliseconds. */
  readonly forMs: number;
  /** Time for one answer. Milliseconds. */
  readonly requestTimeoutMs: number;
  /** Makes a repetition harmless. Without it a record whose answer was lost is there twice. */
  readonly identity?: {
    readonly transactionalId: string;
    readonly producerId: string;
    readonly producerEpoch: number;
  };
}

interface Tracked {
  readonly batch: PartitionBatch;
  outcome: Outcome | undefined;
}

const BACKOFF = { firstMs: 10, longestMs: 500 };

/**
 * Sends each batch to the leader of its partition until that has acknowledged it with `acks=all`. The outcome is kept by partition: a
 * batch that was acknowledged is never sent again, wherever the leadership goes; another is sent as it was to the new leader. Every
 * request ends before anything is sent again. One outcome a batch, in their order; it never rejects.
 */
export async function produceAll(
  brokers: Brokers,
  batches: readonly PartitionBatch[],
  options: ProduceOptions,
): Promise<Outcome[]> {
  const tracked = batches.map((batch): Tracked => ({ batch, outcome: undefined }));
  const deadline = performance.now() + options.forMs;
  let stale: unknown;
  // Not by retry(): some of the batches may be acknowledged, and only the others are sent again.
  for (let [open, failures] = [tracked, 1]; ; failures++) {
    if (stale !== undefined) await brokers.refresh(topicsOf(open)).catch(() => {});
    await Promise.all(byLeader(brokers, open).map(([node, own]) => sendTo(brokers, node, own, options)));
    const refused = open.find(({ outcome }) => failed(outcome) && !isRetriable(outcome.error));
    open = open.filter(
      ({ outcome }) => outcome === undefined || (failed(outcome) && isRetriable(outcome.error)),
    );
    const pauseMs = backoffMs(failures, BACKOFF);
    if (open.length === 0 || refused || performance.now() + pauseMs > deadline) break;
    stale = open[0]?.outcome;
    await pause(pauseMs);
  }
  return tracked.map(({ outcome, batch }) => outcome ?? { error: unanswered(batch) });
}

const failed = (outcome: Outcome | undefined): outcome is { readonly error: unknown } =>
  outcome !== undefined && 'error' in outcome;

const topicsOf = (tracked: readonly Tracked[]) => [...new Set(tracked.map(({ batch }) => batch.topic))];

const unanswered = ({ topic, partition }: PartitionBatch) => new AnswerIncomplete(`${topic}/${partition}`);

/** A batch whose partition has no leader now keeps the reason as its outcome. */
function byLeader(brokers: Brokers, tracked: readonly Tracked[]): [number, Tracked[]][] {
  const groups = new Map<number, Tracked[]>();
  for (const one of tracked) {
    const { topic, partition } = one.batch;
    try {
      const leader = brokers.leaderOf(topic, partition);
      const group = groups.get(leader);
      if (group) group.push(one);
      else groups.set(leader, [one]);
    } catch (error) {
      one.outcome = { error };
    }
  }
  return [...groups];
}

async function sendTo(
  brokers: Brokers,
  node: number,
  tracked: readonly Tracked[],
  options: Pick<ProduceOptions, 'requestTimeoutMs' | 'identity'>,
): Promise<void> {
  const outcomes = await produceTo(
    brokers,
    node,
    tracked.map(({ batch }) => batch),
    options,
  );
  for (const [i, one] of tracked.entries()) one.outcome = outcomes[i];
}

/** One request to one broker. One outcome a batch, in their order; it never rejects. */
export async function produceTo(
  brokers: Brokers,
  node: number,
  batches: readonly PartitionBatch[],
  { requestTimeoutMs, identity }: Pick<ProduceOptions, 'requestTimeoutMs' | 'identity'>,
): Promise<Outcome[]> {
  const query: ProduceQuery = {
    acks: -1,
    timeout: requestTimeoutMs,
    ...identity,
    topicData: topicData(batches),
  };
  try {
    const { topics } = await brokers.request(node, produce, query, { timeoutMs: requestTimeoutMs });
    return batches.map((batch) => {
      const answer = topics
        .find(({ topicName }) => topicName === batch.topic)
        ?.partitions.find(({ partition }) => partition === batch.partition);
      return answer ? outcomeOf(answer) : { error: unanswered(batch) };
    });
  } catch (error) {
    return batches.map(() => ({ error }));
  }
}

function outcomeOf({ errorCode, baseOffset }: { errorCode: number; baseOffset: string }): Outcome {
  if (errorCode !== 0) return { error: createErrorFromCode(errorCode) };
  const offset = Number(baseOffset);
  // A repetition of something that the broker remembers too little of.
  return offset >= 0 ? { baseOffset: offset } : { error: new AnswerIncomplete('an offset') };
}

function topicData(batches: readonly PartitionBatch[]): ProduceQuery['topicData'] {
  const topics = new Map<string, ProduceQuery['topicData'][number]['partitions'][number][]>();
  for (const { topic, partition, messages, firstSequence } of batches) {
    const entry = { partition, messages, ...(firstSequence === undefined ? {} : { firstSequence }) };
    const partitions = topics.get(topic);
    if (partitions) partitions.push(entry);
    else topics.set(topic, [entry]);
  }
  return [...topics].map(([topic, partitions]) => ({ topic, partitions }));
}

/** A record for a partition that was chosen already. */
export interface PlacedMessage extends OutMessage {
  readonly partition: number;
}

const FOR_MS = 20_000;

/**
 * Writes records so that each is there at least once. It numbers nothing: an idempotent producer that is used again after a send that
 * failed loses what comes next, if the broker had the failed one after all. Readers tell repetitions by their keys.
 * Throws when not all of them were acknowledged: then the caller writes all of them again.
 */
export async function publishAll(
  brokers: Brokers,
  topic: string,
  messages: readonly PlacedMessage[],
  requestTimeoutMs: number,
): Promise<void> {
  await brokers.know([topic]).catch(() => {});
  for (const round of roundsOf(messages.map((message) => ({ ...message, topic })))) {
    const outcomes = await produceAll(brokers, round, { forMs: FOR_MS, requestTimeoutMs });
    for (const outcome of outcomes) if ('error' in outcome) throw outcome.error;
  }
}

/** A record, and where it goes. */
export interface PlacedRecord extends PlacedMessage {
  readonly topic: string;
}

/** Broker and topic limits are at least 1 MiB; what a record costs beyond its bytes is counted generously. */
const MAX_PARTITION_BYTES = 900_000;
const RECORD_OVERHEAD = 64;

/**
 * Cuts records into sends that brokers take: within a send no partition gets more than its limit, unless a single
 * record is larger. Order within a partition is kept.
 */
export function roundsOf(
  records: readonly PlacedRecord[],
  maxBytes = MAX_PARTITION_BYTES,
): PartitionBatch[][] {
  const rounds: Map<string, { topic: string; partition: number; messages: OutMessage[] }>[] = [];
  const fill = new Map<string, { round: number; bytes: number }>();
  for (const record of records) {
    const { topic, partition } = record;
    const target = `${topic}/${partition}`;
    const place = placeFor(fill, target, sizeOf(record), maxBytes);
    let round = rounds[place.round];
    if (!round) {
      round = new Map();
      rounds[place.round] = round;
    }
    const own = round.get(target);
    if (own) own.messages.push(record);
    else round.set(target, { topic, partition, messages: [record] });
  }
  return rounds.map((round) => [...round.values()]);
}

function placeFor(
  fill: Map<string, { round: number; bytes: number }>,
  target: string,
  bytes: number,
  maxBytes: number,
): { round: number } {
  const place = fill.get(target);
  if (!place) {
    const first = { round: 0, bytes };
    fill.set(target, first);
    return first;
  }
  if (place.bytes + bytes > maxBytes) {
    place.round++;
    place.bytes = bytes;
  } else {
    place.bytes += bytes;
  }
  return place;
}

function sizeOf({ key, value }: PlacedRecord): number {
  return RECORD_OVERHEAD + (key?.length ?? 0) + (value?.length ?? 0);
}
