import type { Message, TopicMessages } from 'kafkajs';
import type { OutputRecord } from './stage.ts';

/** Broker and topic limits are at least 1 MiB; what a record costs beyond its bytes is counted generously. */
const MAX_PARTITION_BYTES = 900_000;
const RECORD_OVERHEAD = 64;

/**
 * Cuts a transaction's records into sends, since kafkajs never splits one: within a send no partition gets more
 * than its limit, unless a single record is larger. Order within a partition is kept.
 */
export function roundsOf(
  outputs: readonly OutputRecord[],
  maxBytes = MAX_PARTITION_BYTES,
): TopicMessages[][] {
  const rounds: Map<string, Message[]>[] = [];
  const fill = new Map<string, { round: number; bytes: number }>();
  for (const output of outputs) {
    const bytes = sizeOf(output);
    const place = placeFor(fill, `${output.topic}/${output.partition}`, bytes, maxBytes);
    const round = at(rounds, place.round);
    const messages = round.get(output.topic);
    const message = messageOf(output);
    if (messages) messages.push(message);
    else round.set(output.topic, [message]);
  }
  return rounds.map((round) => [...round].map(([topic, messages]) => ({ topic, messages })));
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

function at(rounds: Map<string, Message[]>[], index: number): Map<string, Message[]> {
  const round = rounds[index] ?? new Map<string, Message[]>();
  rounds[index] = round;
  return round;
}

function messageOf({ partition, key, value, headers }: OutputRecord): Message {
  return headers ? { partition, key, value, headers } : { partition, key, value };
}

function sizeOf({ key, value }: OutputRecord): number {
  return RECORD_OVERHEAD + (key?.length ?? 0) + (value?.length ?? 0);
}
