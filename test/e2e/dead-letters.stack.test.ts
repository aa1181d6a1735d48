import {
  deadLetterKey,
  deadLetterOf,
  type InputRecord,
  inputRecordOfRead,
  type Registry,
  readTopic,
  replayOf,
  TransactionalWriter,
} from '@email-events/core';
import {
  type DeadLetter,
  type EmailEvent,
  type NormalizedBatch,
  type Suppression,
  topics,
} from '@email-events/schemas';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Pipeline } from '../harness/pipeline.ts';
import { fileScope, waitFor } from '../harness/stack.ts';
import { rawMessage, SERVICES, sendgridItem, startWorld } from './world.ts';

const file = fileScope();
let world: Pipeline;
let eventsMetrics: Registry;
beforeAll(async () => {
  world = await startWorld(file.scope);
}, 120_000);
afterAll(() => file.end());

interface Row {
  readonly id: string;
  readonly stage: string;
  readonly code: string;
  readonly attempts: number;
  readonly replays: number;
  readonly status: string;
  readonly note: string | null;
}

const lettersInClickHouse = () =>
  world.clickhouse.query<Row>(
    `SELECT concat(origin_topic, '/', toString(origin_partition), '/', toString(origin_offset),
            if(item_index IS NULL, '', concat('/', toString(item_index)))) AS id,
       stage, code, attempts, replays, status, note
     FROM dead_letters FINAL ORDER BY id`,
  );

async function emailsInClickHouse(): Promise<string[]> {
  const rows = await world.clickhouse.query<{ recipient: string }>('SELECT recipient FROM email_events');
  return rows.map(({ recipient }) => recipient).sort();
}

async function eventTotals(): Promise<{ [result: string]: number }> {
  const totals: { [result: string]: number } = {};
  const text = (await eventsMetrics.metrics()).matchAll(
    /^email_events_events_total{.*result="(\w+)".*} (\d+)$/gm,
  );
  for (const [, result = '', count] of text) totals[result] = (totals[result] ?? 0) + Number(count);
  return totals;
}

const good = (name: string) => sendgridItem('open', { email: `${name}@example.com` });
const BAD = { event: 'open', note: 'neither recipient nor time' };
const GARBAGE = Buffer.from([0xff, 0x00, 0xfe]);

describe('dead letters, from failure to the operator and back', () => {
  let ids: { bad: string[]; garbage: string; poison: string; event: string };

  test('what cannot be processed is listed by its place, and holds up nothing', async () => {
    const encoder = await world.codec.encoder<NormalizedBatch>(topics.normalized, 'normalized');
    const [request, garbage] = await world.produce(topics.raw, [
      rawMessage([good('one'), BAD, good('two'), BAD]),
      rawMessage(GARBAGE),
    ]);
    const [poison] = await world.produce(topics.normalized, [{ value: Buffer.from('poison') }]);
    const [normalize, events, sink] = SERVICES;
    await world.start(normalize);
    eventsMetrics = (await world.start(events)).metrics;
    await world.start(sink);
    await waitFor('the good items', async () => (await emailsInClickHouse()).length === 2, 60_000);
    const event = await anEvent();
    const batch = encoder.encode({ events: [{ ...event, event_id: 'no id', item_index: 0 }], actions: [] });
    const [refused] = await world.produce(topics.normalized, [{ value: batch }]);
    ids = {
      bad: [1, 3].map((item) => `email.raw/0/${request}/${item}`),
      garbage: `email.raw/0/${garbage}`,
      poison: `email.internal.normalized/0/${poison}`,
      event: `email.internal.normalized/0/${refused}/0`,
    };
    await waitFor('the dead letters', async () => (await lettersInClickHouse()).length === 5);
    const { code, out } = await world.command('dlq', 'list');
    expect([code, out.total]).toEqual([0, 5]);
    expect(out.letters.map(({ id }: Row) => id).sort()).toEqual(
      [...ids.bad, ids.garbage, ids.poison, ids.event].sort(),
    );
    const groups = (await world.command('dlq', 'list', '--group', '--stage', 'normalize')).out;
    expect(groups).toMatchObject([
      { stage: 'normalize', esp: 'sendgrid', status: 'open', letters: 2 },
      { stage: 'normalize', code: 'NORMALIZE_BODY_UNREADABLE', letters: 1 },
    ]);
  }, 90_000);

  test('show hides nothing, also of an item whose bytes another letter carries', async () => {
    const { out } = await world.command('dlq', 'show', ids.bad[1] ?? '');
    expect(out).toHaveLength(1);
    expect(out[0].letter).toMatchObject({ id: ids.bad[1], status: 'open', attempts: 1, source: 'main' });
    expect(JSON.parse(out[0].item.content)).toEqual(BAD);
    expect(JSON.parse(out[0].value.content)).toHaveLength(4);
    expect(JSON.parse(out[0].headers.request.content)).toMatchObject({ esp: 'sendgrid' });
    const garbage = (await world.command('dlq', 'show', ids.garbage)).out;
    expect(garbage[0].value).toEqual({ bytes: 3, encoding: 'base64', content: GARBAGE.toString('base64') });
    const missing = await world.command('dlq', 'show', 'email.raw/0/999999');
    expect([missing.code, missing.err]).toEqual([1, expect.stringContaining('DLQ_NOT_FOUND')]);
  });

  test('a dry run says what it would do and does nothing; without a choice nothing is done either', async () => {
    expect((await world.command('dlq', 'replay')).code).toBe(2);
    const { code, out } = await world.command('dlq', 'replay', '--all', '--dry-run');
    expect([code, out.letters, out.records, out.problems]).toEqual([0, 5, 4, []]);
    expect((await world.command('dlq', 'list')).out.total).toBe(5);
  });

  test('replayed twice and failing twice: the same letters, counted; good items are not counted again', async () => {
    const before = await eventTotals();
    for (const attempts of [2, 3]) {
      const { code, out } = await world.command('dlq', 'replay', '--all');
      expect([code, out.letters, out.records]).toEqual([0, 5, 4]);
      await waitFor(`all failed ${attempts} times`, async () =>
        (await lettersInClickHouse()).every((row) => row.attempts === attempts && row.status === 'open'),
      );
    }
    const rows = await lettersInClickHouse();
    expect(rows.map(({ id }) => id)).toEqual([...ids.bad, ids.garbage, ids.poison, ids.event].sort());
    expect(rows.map(({ replays }) => replays)).toEqual([2, 2, 2, 2, 2]);
    // The letters of `events` came again, and nothing else did.
    const after = await eventTotals();
    expect(after).toEqual({
      ...before,
      received: (before.received ?? 0) + 4,
      dead_letter: (before.dead_letter ?? 0) + 4,
    });
    const { out } = await world.command('dlq', 'show', ids.bad[0] ?? '');
    expect(out[0].history.map(({ status }: Row) => status)).toEqual([
      ...['open', 'replayed', 'open', 'replayed', 'open'],
    ]);
  });

  test('what was mended comes out once, for the item that failed only, and is no longer open', async () => {
    // As a version would have left it that could not read the second item.
    const { value, headers = {} } = rawMessage([good('before'), good('mended')]);
    const place = { topic: topics.raw, partition: 1, offset: 4_711, key: null, timestamp: Date.now() };
    const record: InputRecord = { ...place, value, headers };
    const failure = { stage: 'normalize', code: 'NORMALIZE_ITEM_INVALID', message: 'not known', firstAt: 1 };
    const letter = deadLetterOf(record, { ...failure, esp: 'sendgrid', item: { index: 1, bytes: null } });
    const encoder = await world.codec.encoder<DeadLetter>(topics.deadLetters, 'deadLetter');
    await world.produce(topics.deadLetters, [{ key: deadLetterKey(letter), value: encoder.encode(letter) }]);
    const id = 'email.raw/1/4711/1';
    expect((await world.command('dlq', 'replay', id)).out.letters).toBe(1);
    await waitFor('the event', async () => (await emailsInClickHouse()).includes('mended@example.com'));
    await waitFor('the mark', async () =>
      (await lettersInClickHouse()).some((row) => row.id === id && row.status === 'replayed'),
    );
    expect(await emailsInClickHouse()).toEqual(['mended', 'one', 'two'].map((name) => `${name}@example.com`));
    const again = await world.command('dlq', 'replay', id);
    expect([again.code, again.out.letters, again.out.problems.length]).toEqual([1, 0, 1]);
    // Its row leads to bytes that are there.
    const [row] = await world.clickhouse.query<{ p: number; o: string; i: number }>(
      `SELECT raw_partition AS p, raw_offset AS o, item_index AS i FROM email_events WHERE recipient = 'mended@example.com'`,
    );
    expect(row).toMatchObject({ p: 1, i: 1 });
    expect(Number(row?.o)).toBeLessThan(4_711);
  });

  test('discarded letters keep their reason and are not replayed with the others', async () => {
    const { code, out } = await world.command('dlq', 'discard', ids.garbage, '--reason', 'a port scan');
    expect([code, out.letters]).toEqual([0, 1]);
    await waitFor('the mark', async () =>
      (await lettersInClickHouse()).some(({ id, note }) => id === ids.garbage && note === 'a port scan'),
    );
    const { out: rest } = await world.command('dlq', 'replay', '--topic', 'email.raw', '--dry-run');
    expect([rest.letters, rest.records]).toEqual([2, 1]);
    expect((await world.command('dlq', 'list', '--status', 'discarded')).out.total).toBe(1);
  });

  test('what a sink refused goes to that sink alone, counts on, and is there once', async () => {
    const userAgent = (type: string) =>
      world.clickhouse.command(`ALTER TABLE email_events MODIFY COLUMN user_agent Nullable(${type})`);
    const ofSink = async () =>
      (await lettersInClickHouse()).filter(({ stage }) => stage === 'sink-clickhouse');
    // An operator changed a column.
    await userAgent('Int32');
    const item = { ...good('refused'), useragent: 'Mozilla/5.0' };
    await world.produce(topics.raw, [rawMessage([item, good('beside')])]);
    await waitFor('the letter', async () => (await ofSink()).length === 1);
    const [letter] = await ofSink();
    expect(letter).toMatchObject({ attempts: 1, status: 'open' });
    expect((await world.command('dlq', 'replay', '--stage', 'sink-clickhouse')).code).toBe(0);
    await waitFor('the second refusal', async () =>
      (await ofSink()).some(({ attempts, status }) => attempts === 2 && status === 'open'),
    );
    expect(await ofSink()).toMatchObject([{ id: letter?.id, replays: 1 }]);
    expect(await emailsInClickHouse()).not.toContain('refused@example.com');

    await userAgent('String');
    expect((await world.command('dlq', 'replay', '--stage', 'sink-clickhouse')).out.letters).toBe(1);
    await waitFor('the row', async () => (await emailsInClickHouse()).includes('refused@example.com'));
    await world.produce(topics.raw, [rawMessage([good('proof')])]);
    await waitFor('the proof', async () => (await emailsInClickHouse()).includes('proof@example.com'));
    const names = ['beside', 'mended', 'one', 'proof', 'refused', 'two'];
    expect(await emailsInClickHouse()).toEqual(names.map((name) => `${name}@example.com`));
    const [rollup] = await world.clickhouse.query<{ n: string }>(
      'SELECT sum(events) AS n FROM email_events_hourly',
    );
    expect(Number(rollup?.n)).toBe(names.length);
    expect(await recipientsOnTopic()).toEqual(names.map((name) => `${name}@example.com`));
  }, 60_000);

  test('a state that a newer one has replaced is discarded, not put behind it', async () => {
    const state = {
      recipient: 'sam@example.com',
      suppressed: true,
      reasons: [],
      changed_at: 1,
      event_id: 'e',
      revision: 0,
    };
    const encoder = await world.codec.encoder<Suppression>(topics.suppressions, 'suppression');
    const message = { key: state.recipient, value: encoder.encode(state) };
    const offsets = await world.produce(topics.suppressions, [message, message]);
    const letters = offsets.map((offset) =>
      deadLetterOf(
        {
          ...{ topic: topics.suppressions, partition: 0, offset, key: Buffer.from(message.key) },
          ...{ value: message.value, headers: {}, timestamp: 5 },
        },
        { stage: 'sink-crm', code: 'SINK_CRM_REJECTED', message: 'no', firstAt: 1 },
      ),
    );
    const letterEncoder = await world.codec.encoder<DeadLetter>(topics.deadLetters, 'deadLetter');
    await world.produce(
      topics.deadLetters,
      letters.map((letter) => ({ key: deadLetterKey(letter), value: letterEncoder.encode(letter) })),
    );
    const { out } = await world.command('dlq', 'replay', '--stage', 'sink-crm');
    expect([out.letters, out.superseded]).toEqual([2, 1]);
    await waitFor('the marks', async () => {
      const rows = (await lettersInClickHouse()).filter(({ stage }) => stage === 'sink-crm');
      return rows.map(({ status }) => status).join() === 'discarded,replayed';
    });
    const back = await readAll(topics.replays);
    const [record] = back.slice(-1);
    expect(replayOf(record as InputRecord)).toMatchObject({
      sink: 'sink-crm',
      topic: topics.suppressions,
      offset: offsets[1],
      recordedAt: 5,
    });
    expect(record?.value?.equals(message.value)).toBe(true);
  });

  test('a replay that is killed leaves each record either put back and marked, or neither', async () => {
    const COUNT = 3_000;
    const encoder = await world.codec.encoder<DeadLetter>(topics.deadLetters, 'deadLetter');
    const letters = Array.from({ length: COUNT }, (_, i) => {
      const { value, headers = {} } = rawMessage([good(`many${i}`)]);
      const place = { topic: topics.raw, partition: 0, offset: 1_000_000 + i, key: null, timestamp: 1 };
      const failure = {
        stage: 'normalize',
        code: 'NORMALIZE_ESP_UNKNOWN',
        message: 'no adapter',
        firstAt: 1,
      };
      return deadLetterOf({ ...place, value, headers }, { ...failure, source: 'many' });
    });
    await world.produce(
      topics.deadLetters,
      letters.map((letter) => ({ key: deadLetterKey(letter), value: encoder.encode(letter) })),
    );
    const open = async () => (await world.command('dlq', 'list', '--source', 'many')).out.total as number;
    const putBack = async () =>
      (await readAll(topics.raw)).flatMap((record) => {
        const { offset = 0 } = replayOf(record) ?? {};
        return offset >= 1_000_000 ? [offset] : [];
      });
    const replay = world.startCommand('dlq', 'replay', '--source', 'many');
    await waitFor('the first transactions', () => replay.output().err.includes('letters replayed'));
    replay.kill();
    await replay.finished;
    // The next one ends what was under way.
    await (await TransactionalWriter.open(world.config.kafka, 'dlq')).close();
    const left = await open();
    expect(await putBack()).toHaveLength(COUNT - left);
    expect(left).toBeGreaterThan(0);
    expect((await world.command('dlq', 'replay', '--source', 'many')).out.letters).toBe(left);
    const offsets = await putBack();
    expect([await open(), offsets.length, new Set(offsets).size]).toEqual([0, COUNT, COUNT]);
  }, 60_000);

  test('a run that was overtaken by another writes nothing more', async () => {
    const first = await TransactionalWriter.open(world.config.kafka, 'dlq');
    const second = await TransactionalWriter.open(world.config.kafka, 'dlq');
    const output = (key: string) => [{ topic: topics.deadLetters, partition: 0, key, value: null }];
    await expect(first.write(output('late'))).rejects.toMatchObject({ code: 'KAFKA_FENCED' });
    await second.write(output('in time'));
    await Promise.all([first.close(), second.close()]);
    const { out } = await world.command('dlq', 'list', '--status', 'all');
    expect(out.total).toBe(3_009);
  });
});

async function readAll(topic: string): Promise<InputRecord[]> {
  const records: InputRecord[] = [];
  await readTopic(world.config.kafka, {
    topics: [topic],
    from: 'beginning',
    onRecord: (record) => void records.push(inputRecordOfRead(record)),
  });
  return records;
}

async function recipientsOnTopic(): Promise<string[]> {
  const decoder = world.codec.decoder<EmailEvent>('opened');
  const values = (await readAll(topics.events('opened'))).flatMap(({ value }) => value ?? []);
  await decoder.load(values);
  return values.map((value) => decoder.decode(value).recipient).sort();
}

async function anEvent() {
  const { events } = await firstBatch();
  const [event] = events;
  if (!event) throw new Error('no event was normalized');
  return event;
}

async function firstBatch(): Promise<NormalizedBatch> {
  const decoder = world.codec.decoder<NormalizedBatch>('normalized');
  const values = (await readAll(topics.normalized)).flatMap(({ value }) => value ?? []);
  const [first] = values.filter((value) => value.toString() !== 'poison');
  if (!first) throw new Error('no batch was normalized');
  await decoder.load([first]);
  return decoder.decode(first);
}
