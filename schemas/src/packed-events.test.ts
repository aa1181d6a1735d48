import fc from 'fast-check';
import { expect, test } from 'vitest';
import { avroType } from './avro-types.ts';
import { createEncoder } from './codec.ts';
import { EVENT_TYPES } from './event-types.ts';
import type { EmailEvent, NormalizedBatch } from './generated/types.gen.ts';
import { type PackedEvent, PackedEvents } from './packed-events.ts';
import { normalized } from './sample-event.fixture.ts';

const batches = createEncoder<NormalizedBatch>(7, avroType('normalized'));
const encode = (...events: EmailEvent[]) => batches.encode({ events, actions: [] });
const typedBy = Object.fromEntries(
  EVENT_TYPES.map((type) => [
    type,
    createEncoder<EmailEvent>(300 + EVENT_TYPES.indexOf(type), avroType(type)),
  ]),
);

/** Each event as the objects' way has it, and as the bytes' way has it. */
function read(value: Buffer) {
  const found = new PackedEvents().read(value);
  return found && Array.from({ length: found.length }, (_, index) => told(found.at(index)));
}
const told = (packed: PackedEvent) => ({
  ...{ type: packed.type, event_id: packed.event_id, recipient: packed.recipient, known_as: packed.known_as },
  request_id: packed.request_id,
  event: { ...packed.unpacked() },
  typed: packed.typed(typedBy[packed.type]?.schemaId ?? 0)?.toString('hex'),
});
function expected(event: EmailEvent) {
  let typed: string | undefined;
  try {
    typed = typedBy[event.type]?.encode(event).toString('hex');
  } catch {}
  const { type, event_id, recipient, known_as, request_id } = event;
  return { type, event_id, recipient, known_as, request_id, event, typed };
}

const text = fc.oneof(
  fc.string({ unit: 'binary' }).map((of) => of.toWellFormed()),
  fc.string({ minLength: 60, maxLength: 300 }),
);
const maybe = <T>(of: fc.Arbitrary<T>) => fc.option(of, { nil: null });
const int = fc.integer({ min: -(2 ** 27), max: 2 ** 27 - 1 });
const long = fc.integer({ min: -(2 ** 47), max: 2 ** 47 });
const texts = fc.array(text, { maxLength: 3 });
/** Any value for each field, by the schema's own types. */
const anyEvent: fc.Arbitrary<EmailEvent> = fc.record({
  ...(Object.fromEntries(
    Object.entries(normalized()).map(([name, value]) => [
      name,
      typeof value === 'string' ? text : maybe(text),
    ]),
  ) as unknown as { [name in keyof EmailEvent]: fc.Arbitrary<never> }),
  type: fc.constantFrom(...EVENT_TYPES),
  ...{ occurred_at: long, received_at: long, raw_offset: long, raw_partition: int, item_index: int },
  ...{ attempt: maybe(int), smtp_code: maybe(int), is_machine: maybe(fc.boolean()) },
  ...{
    tags: texts,
    known_as: texts,
    metadata: fc.dictionary(text, text, { noNullPrototype: true, maxKeys: 3 }),
  },
} as never);

test('whatever events a batch has, they are read as the decoder reads them, and written as the encoders of their types do', () => {
  fc.assert(
    fc.property(fc.array(anyEvent, { maxLength: 5 }), (events) => {
      expect(read(encode(...events))).toEqual(events.map(expected));
    }),
    { numRuns: 50 },
  );
});

test('a field that a type must have and the event lacks is left to the encoder, which refuses it', () => {
  const [event] = read(encode({ ...normalized(), type: 'unsubscribed', scope: null })) ?? [];
  expect(event).toMatchObject({ type: 'unsubscribed', typed: undefined });
});

test('bytes that are not whole, or changed, are never taken for more than they are', () => {
  const value = encode(normalized(1), normalized(2));
  for (let length = 0; length < value.length; length++)
    expect(new PackedEvents().read(value.subarray(0, length)), `${length} bytes`).toBeUndefined();
  expect(new PackedEvents().read(Buffer.concat([value, Buffer.from([0])]))).toBeUndefined();
  const decode = (bytes: Buffer) => avroType('normalized').fromBuffer(bytes.subarray(5)) as NormalizedBatch;
  for (let at = 5; at < value.length; at++) {
    const changed = Buffer.from(value);
    changed[at] = (changed[at] ?? 0) ^ 0x81;
    const found = read(changed);
    if (found)
      expect(found.map(({ event }) => event)).toEqual(decode(changed).events.map((event) => ({ ...event })));
  }
});

test.each([
  ['an operator’s action', () => batches.encode({ events: [normalized()], actions: [ACTION] })],
  ['a number that an encoder may refuse', () => encode({ ...normalized(), raw_offset: 2 ** 50 })],
  ['a type from another version', () => encode({ ...normalized(), type: 'sneezed' as never })],
])('%s is left to the decoder', (_, value) => {
  expect(new PackedEvents().read(value())).toBeUndefined();
});

const ACTION: NormalizedBatch['actions'][number] = {
  ...{ action_id: 'a'.repeat(32), kind: 'suppress', recipient: 'a@example.com', at: 1, by: 'b', why: 'w' },
  ...{ reason: null, scope: 'all', source: null, from: null, to: null, changed: null, taken_at: null },
};

test('more events than any batch before', () => {
  const reader = new PackedEvents();
  for (const count of [1, 500, 2]) {
    const found = reader.read(encode(...Array.from({ length: count }, (_, i) => normalized(i))));
    expect(found?.length).toBe(count);
    expect(found?.at(count - 1).event_id).toBe(normalized(count - 1).event_id);
  }
});
