import type { Output } from '../produce/transactional-producer.ts';
import type { OutMessage } from '../wire/requests.ts';
import type { OutputRecord } from './stage.ts';

/** Broker and topic limits are at least 1 MiB; what a record costs beyond its bytes is counted generously. */
const MAX_PARTITION_BYTES = 900_000;
const RECORD_OVERHEAD = 64;

/**
 * Cuts a transaction's records into sends that brokers take: within a send no partition gets more than its limit, unless a single
 * record is larger. Order within a partition is kept.
 */
export function roundsOf(outputs: readonly OutputRecord[], maxBytes = MAX_PARTITION_BYTES): Output[][] {
  const rounds: Map<string, { topic: string; partition: number; messages: OutMessage[] }>[] = [];
  const fill = new Map<string, { round: number; bytes: number }>();
  for (const output of outputs) {
    const { topic, partition } = output;
    const target = `${topic}/${partition}`;
    const place = placeFor(fill, target, sizeOf(output), maxBytes);
    let round = rounds[place.round];
    if (!round) {
      round = new Map();
      rounds[place.round] = round;
    }
    const own = round.get(target);
    if (own) own.messages.push(output);
    else round.set(target, { topic, partition, messages: [output] });
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

function sizeOf({ key, value }: OutputRecord): number {
  return RECORD_OVERHEAD + (key?.length ?? 0) + (value?.length ?? 0);
}
