import type { Brokers } from '../wire/brokers.ts';
import type { OutMessage } from '../wire/requests.ts';
import { type PartitionBatch, produceAll } from './produce.ts';

/** A record for a partition that was chosen already. */
export interface PlacedMessage extends OutMessage {
  readonly partition: number;
}

/** Bytes of one partition in one request: far enough below a broker's default limit of 1 MiB. */
const REQUEST_BYTES = 900_000;
const RECORD_OVERHEAD = 64;
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
  for (const round of rounds(topic, messages)) {
    const outcomes = await produceAll(brokers, round, { forMs: FOR_MS, requestTimeoutMs });
    for (const outcome of outcomes) if ('error' in outcome) throw outcome.error;
  }
}

function rounds(topic: string, messages: readonly PlacedMessage[]): PartitionBatch[][] {
  const found: Map<number, PlacedMessage[]>[] = [];
  const places = new Map<number, { round: number; bytes: number }>();
  for (const message of messages) {
    const { partition, key, value } = message;
    const bytes = RECORD_OVERHEAD + (key?.length ?? 0) + (value?.length ?? 0);
    const place = places.get(partition) ?? { round: 0, bytes: 0 };
    places.set(partition, place);
    if (place.bytes > 0 && place.bytes + bytes > REQUEST_BYTES) {
      place.round += 1;
      place.bytes = 0;
    }
    place.bytes += bytes;
    const round = found[place.round] ?? new Map<number, PlacedMessage[]>();
    found[place.round] = round;
    const own = round.get(partition) ?? [];
    round.set(partition, own);
    own.push(message);
  }
  return found.map((round) => [...round].map(([partition, own]) => ({ topic, partition, messages: own })));
}
