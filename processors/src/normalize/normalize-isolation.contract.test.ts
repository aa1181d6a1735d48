import { type InputRecord, Registry, silentLog } from '@email-events/core';
import { Blame, Isolation, Lane, MemoryClient, MemoryKafka } from '@email-events/core/testing';
import type { DeadLetter, EmailEvent, NormalizedBatch } from '@email-events/schemas';
import { beforeEach, expect, test } from 'vitest';
import { deadLetterReport } from '../dead-letters.ts';
import { decodeAll, encoderOf, tokenSettings } from '../testing/codecs.ts';
import { oversizedRequests } from '../testing/oversized.ts';
import { rawRecord, sendgridItem } from '../testing/records.ts';
import { type NormalizeContext, NormalizeStage } from './normalize-stage.ts';

// Everything on a cluster in memory, as the loop runs it.
const PARTITIONS = 3;
let kafka: MemoryKafka;
let blame: Blame;
beforeEach(() => {
  kafka = new MemoryKafka();
  blame = new Blame();
});

const encoder = encoderOf<NormalizedBatch>('normalized');

function contextOf(more: Partial<NormalizeContext> = {}): NormalizeContext {
  const metrics = new Registry();
  return {
    ...{
      partitions: PARTITIONS,
      deadLetterPartitions: 1,
      encoder,
      deadLetterEncoder: encoderOf('deadLetter'),
    },
    ...{
      openStages: new Set(),
      deadLetters: deadLetterReport(metrics, silentLog),
      clock: Date.now,
      tokens: tokenSettings(),
    },
    ...more,
  };
}

/** Fails on any record that has an event with this subject, as a bug might. */
const failingOn = (subject: string): typeof encoder => ({
  ...encoder,
  encode: (batch) => {
    if (batch.events.some((event) => event.metadata.subject?.includes(subject)))
      throw new TypeError('a mistake');
    return encoder.encode(batch);
  },
});

function put(record: InputRecord): void {
  kafka.produce('email.raw', 0, { value: record.value, headers: record.headers });
}
const request = (subject: string, source = 'main') =>
  rawRecord([sendgridItem('open', { subject })], {}, { source });

async function run(context: NormalizeContext): Promise<{ code: string } | undefined> {
  const client = new MemoryClient(kafka).partition('normalize', 'email.raw', 0);
  const isolation = new Isolation();
  const lane = new Lane({ client, partition: 0, stage: new NormalizeStage(context), isolation, blame });
  await lane.open();
  const records = kafka.committed('email.raw', 0, lane.position);
  return lane.process(records, kafka.end('email.raw', 0)).then(
    () => undefined,
    (error) => error,
  );
}

async function cameOut(): Promise<{ events: EmailEvent[]; letters: DeadLetter[] }> {
  const of = (topic: string) =>
    kafka
      .partitionsOf(topic)
      .flatMap((partition) => kafka.committed(topic, partition).map(({ value }) => value));
  const batches = await decodeAll<NormalizedBatch>('normalized', of('email.internal.normalized'));
  return {
    events: batches.flatMap(({ events }) => events),
    letters: await decodeAll<DeadLetter>('deadLetter', of('email.dead-letters')),
  };
}

test('a request on which the work fails is one dead letter that can be put back; the others come out once', async () => {
  const bad = request('bad');
  for (let i = 0; i < 20; i++) put(i === 13 ? bad : request(`good ${i}`));
  expect(await run(contextOf({ encoder: failingOn('bad') }))).toBeUndefined();
  const { events, letters } = await cameOut();
  expect(events.map(({ raw_offset }) => raw_offset).sort((a, b) => a - b)).toEqual(
    Array.from({ length: 20 }, (_, i) => i).filter((i) => i !== 13),
  );
  expect(letters).toMatchObject([
    { code: 'NORMALIZE_RECORD_FAILED', item_index: null, origin_offset: 13, attempts: 3, source: 'main' },
  ]);
  expect(letters[0]?.message).toBe('the work on it fails with TypeError');
  expect(letters[0]?.value?.equals(bad.value as Buffer)).toBe(true);
  expect(kafka.committedOffset('normalize', 'email.raw', 0)).toBe(20);
});

test('what would come to too much is one letter each, and what is behind it comes out', async () => {
  const requests = oversizedRequests();
  for (const { record } of requests) {
    put(record);
    put(request('behind'));
  }
  expect(await run(contextOf())).toBeUndefined();
  const { events, letters } = await cameOut();
  expect(letters.map(({ code }) => code)).toEqual(requests.map(({ code }) => code));
  expect(events).toHaveLength(requests.length);
  // Each letter holds its request, and no more.
  const received = requests.reduce((sum, { record }) => sum + (record.value?.length ?? 0), 0);
  expect(letters.reduce((sum, { value }) => sum + (value?.length ?? 0), 0)).toBe(received);
}, 60_000);

test('a transaction takes no further request once it holds enough', async () => {
  for (let i = 0; i < 6; i++) put(request('s'.repeat(40_000)));
  expect(await run(contextOf({ maxTransactionBytes: 100_000 }))).toBeUndefined();
  expect((await cameOut()).events).toHaveLength(6);
  // Three requests a transaction, each of which left a marker.
  const partition = kafka.partitionsOf('email.internal.normalized')[0] ?? 0;
  const written = kafka.committed('email.internal.normalized', partition).length;
  expect(written).toBe(2);
  expect(kafka.end('email.internal.normalized', partition)).toBe(4);
});

test('one source may send as much as it likes of what fails: nothing halts', async () => {
  for (let i = 0; i < 50; i++) put(request('bad', 'hostile'));
  put(request('good'));
  expect(await run(contextOf({ encoder: failingOn('bad') }))).toBeUndefined();
  const { events, letters } = await cameOut();
  expect([events.length, letters.length, blame.isHalted]).toEqual([1, 50, false]);
}, 60_000);

test('a bug halts instead of turning the topic into dead letters, and nothing is lost', async () => {
  for (let i = 0; i < 40; i++) put(request('any', `source-${i % 5}`));
  expect(await run(contextOf({ encoder: failingOn('any') }))).toMatchObject({ code: 'PROCESSOR_HALTED' });
  expect(blame.isHalted).toBe(true);
  const { letters } = await cameOut();
  expect(letters).toHaveLength(2);
  expect(await run(contextOf())).toBeUndefined();
  expect((await cameOut()).events).toHaveLength(38);
  expect(blame.isHalted).toBe(false);
});

test('when not even the request that it ships with comes out, nothing is set aside', async () => {
  put(request('any'));
  const broken: typeof encoder = {
    ...encoder,
    encode: () => {
      throw new TypeError('a mistake');
    },
  };
  expect(await run(contextOf({ encoder: broken }))).toMatchObject({
    ...{ code: 'PROCESSOR_HALTED', message: 'a good record fails too' },
  });
  expect((await cameOut()).letters).toEqual([]);
});

test('the same holds for an adapter that fails on single items', async () => {
  const options = {
    get unsubscribeScope(): string {
      throw new TypeError('a mistake');
    },
  };
  const readingOf = () => ({ options });
  const item = { event: 'unsubscribe', email: 'ann@example.com', ts_event: 1_767_225_600, list_id: [1] };
  const items = [item, { ...item, event: 'opened', 'message-id': '<m@example.com>' }];
  const of = (source: string) => rawRecord(items, {}, { esp: 'brevo', source });
  for (let i = 0; i < 30; i++) put(of('hostile'));
  expect(await run(contextOf({ readingOf }))).toBeUndefined();
  const { events, letters } = await cameOut();
  expect([events.length, letters.length]).toEqual([30, 30]);
  expect(letters[0]).toMatchObject({ code: 'NORMALIZE_UNEXPECTED', item_index: 0 });
  for (const source of ['a', 'b']) put(of(source));
  expect(await run(contextOf({ readingOf }))).toMatchObject({ code: 'PROCESSOR_HALTED' });
  expect((await cameOut()).letters).toHaveLength(30);
  expect(await run(contextOf())).toBeUndefined();
  expect((await cameOut()).events).toHaveLength(34);
}, 60_000);
