import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeReplay, type LastOffset, pseudonymsOf, Registry, silentLog } from '@email-events/core';
import { Secret } from '@email-events/core/config';
import { MemoryKafka } from '@email-events/core/testing';
import {
  avroType,
  createDecoder,
  createEncoder,
  type DeadLetter,
  type EmailEvent,
  type NormalizedBatch,
  type OperatorAction,
  SchemaError,
  type Suppression,
  schemas,
  typeForSchema,
} from '@email-events/schemas';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import {
  batchSettings,
  changelogCodec,
  decodeAll,
  decoderOf,
  encoderOf,
  ownedPartition,
  stateCodec,
} from '../testing/codecs.ts';
import { eventOf, recordOf, START } from '../testing/records.ts';
import { type EventsContext, EventsStage } from './events-stage.ts';
import { measureEvents } from './measures.ts';
import { actionOf, idOf } from './suppression/history.fixture.ts';

const HOUR = 3_600_000;
let kafka: MemoryKafka;
let metrics: Registry;
let context: EventsContext;
let now: number;
beforeEach(() => {
  kafka = new MemoryKafka();
  metrics = new Registry();
  now = START;
  const stateDir = mkdtempSync(join(tmpdir(), 'events-test-'));
  onTestFinished(() => rmSync(stateDir, { recursive: true, force: true }));
  context = {
    ...batchSettings(),
    stateDir,
    identity: { clusterId: 'c', application: 'a' },
    windowMs: 8 * HOUR,
    deadLetterPartitions: 2,
    decoder: decoderOf('normalized'),
    deadLetterEncoder: encoderOf('deadLetter'),
    changelogs: changelogCodec(),
    stateCodec: stateCodec(),
    clock: () => now,
    restoreInTurn: (work) => work(),
    ...measureEvents(metrics, silentLog),
  };
});

async function openStage(): Promise<EventsStage> {
  const stage = new EventsStage(context);
  onTestFinished(() => stage.close());
  await stage.open(await ownedPartition(kafka, 1));
  return stage;
}

const encoder = encoderOf<NormalizedBatch>('normalized');
const recordWith = (...events: EmailEvent[]) =>
  recordOf(encoder.encode({ events, actions: [] }), { partition: 1 });

/** Processes and commits as a lane does; returns the topics written to. */
async function run(stage: EventsStage, ...records: Parameters<EventsStage['process']>[0]) {
  const { outputs, committed } = await stage.process(records);
  const lastOffset: LastOffset = await (await ownedPartition(kafka, 1)).write(outputs);
  await committed?.(lastOffset);
  return outputs.map(({ topic }) => topic).filter((topic) => !topic.startsWith('email.internal.'));
}

/** Of a transaction whose answers leave a topic out. */
function without(lost: string, last: LastOffset): LastOffset {
  return (topic, partition) => {
    if (topic === lost) throw new Error(`nothing was written to ${topic}/${partition}`);
    return last(topic, partition);
  };
}

test.each(['email.internal.seen', 'email.internal.recipient-state'])(
  'what %s was not acknowledged for is not remembered: the next stage restores it',
  async (lost) => {
    const stage = await openStage();
    const bounced = recordWith(eventOf('bounced'));
    const { outputs, committed } = await stage.process([bounced]);
    const last = await (await ownedPartition(kafka, 1)).write(outputs);
    await expect(async () => committed?.(without(lost, last))).rejects.toThrow(lost);
    await stage.close();
    const next = await openStage();
    expect(await run(next, bounced)).toEqual([]);
  },
);

const totalsText = async () =>
  (await metrics.metrics()).split('\n').filter((line) => line.startsWith('email_events_events_total{'));

test('a batch leaves its events, its suppressions and what to remember, and is remembered', async () => {
  const stage = await openStage();
  const [opened, bounced] = [eventOf('opened'), eventOf('bounced')];
  const { outputs } = await stage.process([recordWith(opened), recordWith(bounced, opened)]);
  expect(outputs.map(({ topic, partition }) => `${topic} ${partition}`)).toEqual([
    'email.events.opened 1',
    'email.events.bounced 1',
    'email.suppressions 1',
    'email.internal.seen 1',
    'email.internal.recipient-state 1',
  ]);
  // Not committed, so it never was.
  expect(await run(stage, recordWith(opened, bounced))).toEqual([
    'email.events.opened',
    'email.events.bounced',
    'email.suppressions',
  ]);
  expect(await run(stage, recordWith(opened, bounced))).toEqual([]);
  expect(stage.totals).toEqual({ received: 4, emitted: 2, duplicates: 2, deadLettered: 0, erased: 0 });
});

test('a duplicate is known after a restart, and after the disk was lost', async () => {
  const event = eventOf('opened');
  const first = await openStage();
  await run(first, recordWith(event));
  await first.close();

  const second = await openStage();
  expect(await run(second, recordWith(event))).toEqual([]);
  await second.close();
  rmSync(context.stateDir, { recursive: true });

  const third = await openStage();
  expect(await run(third, recordWith(event))).toEqual([]);
  expect(third.totals).toEqual({ received: 3, emitted: 1, duplicates: 2, deadLettered: 0, erased: 0 });
});

test('an operator’s order is taken before the events it came with, and known after the disk was lost', async () => {
  const order = (kind: 'suppress' | 'lift', id: number) => actionOf(kind, { action_id: idOf(id), at: START });
  const recordOrdering = (action: OperatorAction, ...events: EmailEvent[]) =>
    recordOf(encoder.encode({ events, actions: [action] }), { partition: 1 });
  const first = await openStage();
  const lift = order('lift', 1);
  const complaint = eventOf('complained', { occurred_at: START - 5, received_at: START + 99 });
  // Told behind the order, it is older: nothing is suppressed.
  expect(await run(first, recordOrdering(lift, complaint))).toEqual([
    'email.events.complained',
    'email.operator-actions',
  ]);
  expect(first.totals).toEqual({ received: 1, emitted: 1, duplicates: 0, deadLettered: 0, erased: 0 });
  await first.close();
  rmSync(context.stateDir, { recursive: true });
  const second = await openStage();
  const repeated = eventOf('complained', { occurred_at: START - 9, received_at: START + 99 });
  expect(await run(second, recordWith(repeated))).toEqual(['email.events.complained']);
  expect(await run(second, recordOrdering(lift))).toEqual([]);
  expect(await run(second, recordOrdering(order('suppress', 2)))).toEqual([
    'email.operator-actions',
    'email.suppressions',
  ]);
  expect(second.totals).toEqual({ received: 2, emitted: 2, duplicates: 0, deadLettered: 0, erased: 0 });
});

test('of a record that was put back, only the action that it was put back for', async () => {
  const stage = await openStage();
  const [good, bad] = [actionOf('lift', { action_id: idOf(3) }), actionOf('lift', { action_id: 'bad' })];
  const value = encoder.encode({ events: [eventOf('opened')], actions: [good, bad] });
  const record = { ...recordOf(value, { partition: 1 }), offset: 5 };
  const { outputs } = await stage.process([record]);
  const letters = outputs.filter(({ topic }) => topic === 'email.dead-letters');
  expect(letters.map(({ key }) => key)).toEqual(['email.internal.normalized/1/5/2']);
  const replay = encodeReplay({
    reason: 'dead-letter',
    ...{ topic: 'email.internal.normalized', partition: 1, offset: 5, recordedAt: START, sink: null },
    ...{ items: [1], events: null, letters: [] },
  });
  expect(await run(stage, { ...record, headers: { replay } })).toEqual(['email.operator-actions']);
});

test('states of the version before are read from the changelog', async () => {
  const published = new URL('../../../schemas/published/', import.meta.url);
  const text = readFileSync(new URL('email.internal.recipient-state-value/v1.avsc', published), 'utf8');
  const former = createEncoder(999, typeForSchema(JSON.parse(text)));
  const evidence = { at: START, esp: 'sendgrid', source: 'main', event_id: idOf(1), detail: 'x' };
  const value = former.encode({ hard_bounce: evidence, complaint: null, subscriptions: [] });
  kafka.produce('email.internal.recipient-state', 1, { key: Buffer.from('ann@example.com'), value });
  const decoder = createDecoder(avroType('recipientState'), async (id) =>
    id === 999 ? JSON.parse(text) : schemas.recipientState,
  ) as typeof context.changelogs.recipientState.decoder;
  const { changelogs } = context;
  context = {
    ...context,
    changelogs: { ...changelogs, recipientState: { ...changelogs.recipientState, decoder } },
  };
  const stage = await openStage();
  const { outputs } = await stage.process([recordWith(eventOf('complained'))]);
  const [told] = await decodeAll<Suppression>(
    'suppression',
    outputs.filter(({ topic }) => topic === 'email.suppressions').map(({ value: bytes }) => bytes),
  );
  expect(told?.reasons.map(({ reason }) => reason)).toEqual(['hard_bounce', 'complaint']);
});

test('a duplicate is forgotten after the window', async () => {
  const event = eventOf('opened');
  const stage = await openStage();
  await run(stage, recordWith(event));
  now += 8 * HOUR;
  expect(await run(stage, recordWith(event))).toEqual([]);
  now += 13 * HOUR;
  expect(await run(stage, recordWith(event))).toEqual(['email.events.opened']);
});

test('bad events of one batch have letters of their own, and come back alone', async () => {
  const stage = await openStage();
  // Both were the first item of their request.
  const bad = () => eventOf('opened', { event_id: 'bad', item_index: 0 });
  const record = { ...recordWith(bad(), eventOf('opened'), bad()), offset: 5 };
  const lettersOf = async (...records: (typeof record)[]) => {
    const { outputs } = await stage.process(records);
    const letters = outputs.filter(({ topic }) => topic === 'email.dead-letters');
    return {
      keys: letters.map(({ key }) => key),
      letters: await decodeAll<DeadLetter>(
        'deadLetter',
        letters.map(({ value }) => value),
      ),
      events: outputs.filter(({ topic }) => topic === 'email.events.opened').length,
    };
  };
  const first = await lettersOf(record);
  expect(first.keys).toEqual(['email.internal.normalized/1/5/0', 'email.internal.normalized/1/5/2']);
  expect(first.events).toBe(1);
  const replay = encodeReplay({
    reason: 'dead-letter',
    ...{ topic: 'email.internal.normalized', partition: 1, offset: 5, recordedAt: START, sink: null },
    items: [2],
    events: null,
    letters: [{ item: 2, attempts: 1, firstAt: START - 9, replays: 1 }],
  });
  const again = await lettersOf({ ...record, offset: 77, headers: { replay } });
  expect([again.keys, again.events]).toEqual([['email.internal.normalized/1/5/2'], 0]);
  expect(again.letters).toMatchObject([{ attempts: 2, first_at: START - 9, replays: 1, status: 'open' }]);
});

test('what cannot be read is a dead letter with its bytes and stops nothing', async () => {
  const stage = await openStage();
  const poison = Buffer.from([0, 0, 0, 0, 99, 1, 2, 3]);
  const records = [
    recordOf(poison, { partition: 1, offset: 5 }),
    recordWith(eventOf('opened')),
    recordOf(null, { partition: 1, offset: 7 }),
    recordOf(Buffer.from('x'), { partition: 1, offset: 8 }),
  ];
  const { outputs } = await stage.process(records);
  const letters = await decodeAll<DeadLetter>(
    'deadLetter',
    outputs.filter(({ topic }) => topic === 'email.dead-letters').map(({ value }) => value),
  );
  expect(letters).toMatchObject([
    { stage: 'events', code: 'EVENTS_RECORD_UNREADABLE', origin_offset: 5, origin_partition: 1 },
    { code: 'EVENTS_RECORD_UNREADABLE', origin_offset: 7, value: null },
    { code: 'EVENTS_RECORD_UNREADABLE', origin_offset: 8 },
  ]);
  expect(letters[0]?.value?.equals(poison)).toBe(true);
  expect(await run(stage, ...records)).toContain('email.events.opened');
  expect(stage.totals).toEqual({ received: 4, emitted: 1, duplicates: 0, deadLettered: 3, erased: 0 });
  expect(await metrics.metrics()).toContain(
    'email_events_dead_letters_total{stage="events",code="EVENTS_RECORD_UNREADABLE"} 3',
  );
});

test('a registry that does not answer is no reason to give a record up', async () => {
  const stage = await openStage();
  const failure = new SchemaError('REGISTRY_UNREACHABLE', 'no');
  context = { ...context, decoder: { ...context.decoder, load: () => Promise.reject(failure) } };
  await stage.close();
  const cut = await openStage();
  await expect(cut.process([recordWith(eventOf('opened'))])).rejects.toBe(failure);
});

test('a damaged store is made anew while it opens', async () => {
  const event = eventOf('opened');
  const first = await openStage();
  await run(first, recordWith(event));
  await first.close();
  writeFileSync(join(context.stateDir, '1', 'store.mdb'), 'nonsense');
  const second = await openStage();
  expect(await run(second, recordWith(event))).toEqual([]);
});

test('a store that turns out to be damaged is discarded, so that the next stage does not meet it again', async () => {
  const events = Array.from({ length: 3_000 }, () => eventOf('opened'));
  const first = await openStage();
  await run(first, recordWith(...events));
  await first.close();
  const file = join(context.stateDir, '1', 'store.mdb');
  const bytes = readFileSync(file);
  bytes.fill('noise', 2 * 4_096);
  writeFileSync(file, bytes);
  let attempts = 0;
  const outcome = async (): Promise<string[]> => {
    attempts++;
    const stage = new EventsStage(context);
    try {
      await stage.open(await ownedPartition(kafka, 1));
      return await run(stage, recordWith(...events));
    } catch (error) {
      expect(error).toMatchObject({ code: 'STATE_UNUSABLE' });
      await stage.close();
      return outcome();
    } finally {
      await stage.close();
    }
  };
  expect(await outcome()).toEqual([]);
  expect(attempts).toBeLessThanOrEqual(2);
});

test('a partition is measured while it is open here, and not afterwards', async () => {
  expect(await totalsText()).toEqual([]);
  const stage = await openStage();
  await run(stage, recordWith(eventOf('opened'), eventOf('bounced')));
  expect(await totalsText()).toEqual([
    'email_events_events_total{partition="1",result="received"} 2',
    'email_events_events_total{partition="1",result="emitted"} 2',
    'email_events_events_total{partition="1",result="duplicate"} 0',
    'email_events_events_total{partition="1",result="dead_letter"} 0',
    'email_events_events_total{partition="1",result="erased"} 0',
  ]);
  const text = await metrics.metrics();
  expect(text).toContain('email_events_state_entries{partition="1",kind="id"} 2');
  expect(text).toContain('email_events_state_entries{partition="1",kind="recipient"} 1');
  expect(text).toMatch(/email_events_state_bytes\{partition="1"\} [1-9]/);
  expect(text).toContain('email_events_restore_seconds_count 1');
  await stage.close();
  expect(await totalsText()).toEqual([]);
  await openStage();
  expect(await metrics.metrics()).toMatch(/email_events_restored_records_total \d/);
});

test('a stage that is not open refuses work', async () => {
  await expect(new EventsStage(context).process([])).rejects.toMatchObject({ code: 'SERVICE_UNEXPECTED' });
});

test('a closed store of which one bit is another is made anew, and nothing comes out twice', async () => {
  const events = Array.from({ length: 500 }, () => eventOf('opened'));
  const first = await openStage();
  await run(first, recordWith(...events));
  await first.close();
  const file = join(context.stateDir, '1', 'store.mdb');
  const bytes = readFileSync(file);
  const middle = bytes.length >> 1;
  bytes[middle] = (bytes[middle] ?? 0) ^ 4;
  writeFileSync(file, bytes);
  const second = await openStage();
  expect(await run(second, recordWith(...events))).toEqual([]);
  expect(second.totals).toEqual({
    received: 1_000,
    emitted: 500,
    duplicates: 500,
    deadLettered: 0,
    erased: 0,
  });
  expect(await metrics.metrics()).toMatch(/email_events_restored_records_total [1-9]/);
  expect(await metrics.metrics()).toContain('email_events_stores_discarded_total 1');
});

test('a partition for which nothing comes forgets what has expired too', async () => {
  const stage = await openStage();
  await run(stage, recordWith(eventOf('opened')));
  now += 13 * HOUR;
  for (const open of context.openStages) open.expire();
  expect(stage.size.ids).toBe(0);
  await run(stage, recordWith(eventOf('opened')));
  await stage.close();
  now += 13 * HOUR;
  expect((await openStage()).size.ids).toBe(0);
});

test('where anybody was erased, nothing is processed without the keys: she would be a stranger', async () => {
  const pseudonyms = pseudonymsOf({ erasure: { keys: [new Secret('k'.repeat(32))], graceDays: 30 } });
  context = { ...context, erasure: { ...context.erasure, pseudonyms } };
  const stage = await openStage();
  const action = actionOf('erase', { recipient: 'ann@example.com' });
  await run(stage, recordOf(encoder.encode({ events: [], actions: [action] })));
  await stage.close();
  context = { ...context, erasure: { ...context.erasure, pseudonyms: [] } };
  await expect(openStage()).rejects.toMatchObject({
    code: 'EVENTS_ERASURE_KEYS_MISSING',
    disposition: 'fatal',
  });
  context = { ...context, erasure: { ...context.erasure, pseudonyms } };
  await openStage();
});
