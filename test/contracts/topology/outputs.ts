import {
  type DeadLetter,
  type Decoder,
  type EmailEvent,
  eventTopics,
  eventTypeOf,
  type OperatorAction,
  type SchemaKey,
  type SeenBatch,
  type Suppression,
  topics,
} from '@email-events/schemas';
import { SeenTotals } from '@email-events/test/seen-totals';
import type { Outputs, TypedEvent } from './driver.ts';

/** What a driver has to read to know what came out. */
export const OUTPUT_TOPICS = [
  ...eventTopics,
  topics.suppressions,
  topics.operatorActions,
  topics.deadLetters,
  topics.seen,
];

export interface OutputRecordRead {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
}

export async function decodeOutputs(
  records: readonly OutputRecordRead[],
  decoderOf: (key: SchemaKey) => Decoder<unknown>,
): Promise<Outputs> {
  const decoded = async <T>(key: SchemaKey, topic: string) => {
    const decoder = decoderOf(key) as Decoder<T>;
    const found = records.filter((record) => record.topic === topic);
    await decoder.load(found.flatMap(({ value }) => value ?? []));
    return found.map((record) => ({ record, value: decoder.decode(record.value ?? Buffer.alloc(0)) }));
  };
  const valuesOf = async <T>(key: SchemaKey, topic: string) =>
    (await decoded<T>(key, topic)).map(({ value }) => value);
  const events: TypedEvent[] = [];
  for (const topic of eventTopics) {
    const type = eventTypeOf(topic);
    if (!type) continue;
    for (const { record, value } of await decoded<EmailEvent>(type, topic)) {
      const { partition, offset, key } = record;
      const { recipient, event_id: eventId, metadata } = value;
      const name = metadata.name ?? eventId;
      events.push({ name, recipient, topic, partition, offset, type, key: key?.toString() ?? null, eventId });
    }
  }
  const totals = new SeenTotals();
  for (const { record, value } of await decoded<SeenBatch>('seen', topics.seen)) {
    totals.add(record.partition, value);
  }
  return {
    events,
    suppressions: await valuesOf<Suppression>('suppression', topics.suppressions),
    actions: await valuesOf<OperatorAction>('operatorAction', topics.operatorActions),
    deadLetters: await valuesOf<DeadLetter>('deadLetter', topics.deadLetters),
    totals: totals.sum(),
  };
}
