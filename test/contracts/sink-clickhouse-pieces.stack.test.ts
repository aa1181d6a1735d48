import { type PipelineConfig, pipelineConfig } from '@email-events/cli/services';
import {
  applyTopics,
  avroReader,
  createLogger,
  createMetrics,
  DELIVERED,
  pseudonymsOf,
  type RunningSink,
  runSink,
  type Sink,
  type SinkPiece,
  type SinkRecord,
} from '@email-events/core';
import { Secret } from '@email-events/core/config';
import {
  Codec,
  type EmailEvent,
  EVENT_TYPES,
  partitionOf,
  recipientKey,
  registerSchemas,
  type SchemaKey,
  topicCatalogue,
  topics,
} from '@email-events/schemas';
import {
  type ClickHouse,
  type ClickHouseAddress,
  type ClickHouseValue,
  connect,
  createClickHouseSink,
  Hiding,
  INSERTS_AHEAD_MS,
  MOST_INSERTS,
  migrate,
} from '@email-events/sink-clickhouse';
import { expect, onTestFinished, test } from 'vitest';
import { eventOf, produceEvents } from '../bench/typed-events.ts';
import { type TestScope, useStack, vacantStack, waitFor } from '../harness/stack.ts';

// Batches that are cut into pieces, on the real components: by the runner, and by the sink alone.
const log = createLogger('sink-pieces-test', 'silent');
const { signal } = new AbortController();
// Of more than two of the largest batches: each piece is an insert of its own, into every table that a view fills.
const MONTHS = 600;
const ONE = 'one@mail.example';

type ClickHouseSink = ReturnType<typeof createClickHouseSink>;

/** Event n of one recipient, so of one lane, each of another month from 1970 on. */
function monthly(n: number): EmailEvent {
  return { ...eventOf(4 * n), recipient: ONE, occurred_at: Date.UTC(1970, n % MONTHS, 5) };
}

test('600 months in one go: in bounded time, few pieces a batch, and every event once', {
  timeout: 600_000,
}, async (scope) => {
  const world = await makeWorld(scope);
  const batches = new Map<string, number>();
  const sink = world.sink();
  await produceEvents(world.config, MONTHS, monthly);
  const others = elsewhere(world.config, 200);
  await produceEvents(world.config, others.length, (n) => others[n] as EmailEvent);
  await world.run({
    ...sink,
    prepare: async (records, cut) => {
      const pieces = await sink.prepare(records, cut);
      return pieces.map((piece) => counted(piece, batches));
    },
  });
  await waitFor(
    'the events of other lanes',
    async () => (await world.count(`recipient != '${ONE}'`)) >= 200,
    120_000,
  );
  await waitFor('all rows', async () => (await world.count()) >= MONTHS + 200, 400_000);
  await world.expectEachOnce(MONTHS + 200);
  expect(Math.max(...batches.values())).toBeLessThanOrEqual(256);
});

test('ended after any piece, with or without its answer, the batch is finished by whoever comes next, once', async (scope) => {
  const world = await makeWorld(scope);
  const events = 300;
  await produceEvents(world.config, events, (n) => ({
    ...monthly(n % 37),
    event_id: `${n}`.padStart(32, 'f'),
  }));
  for (const [after, inserted] of [
    [0, true],
    [3, false],
    [11, true],
  ] as const) {
    const sink = world.sink();
    const reached = Promise.withResolvers<void>();
    let writes = 0;
    const hang = async (): Promise<never> => {
      reached.resolve();
      return new Promise(() => {});
    };
    const running = await world.run({
      ...sink,
      prepare: async (records, cut) =>
        (await sink.prepare(records, cut)).map((piece) => ({
          ...piece,
          write: async (id: string, abort: AbortSignal) => {
            if (writes++ < after) return piece.write(id, abort);
            if (inserted) await piece.write(id, abort);
            return hang();
          },
        })),
    });
    await reached.promise;
    await running.stop();
  }
  expect(await world.count()).toBeGreaterThan(0);
  expect(await world.count()).toBeLessThan(events);
  await world.run(world.sink());
  await waitFor('all rows', async () => (await world.count()) >= events, 60_000);
  await world.expectEachOnce(events);
});

test.each([true, false])(
  'a batch that the version before had begun (its insert landed: %s) is finished as that version would have',
  async (landed) => {
    const world = await makeWorld({ onTestFinished });
    const events = 120;
    await produceEvents(world.config, events, monthly);
    const old = world.sink();
    const reached = Promise.withResolvers<void>();
    // The sink as the version before knew it: it announces without a cut, and one insert a table has the token of the batch.
    const before: Sink<ClickHouseValue> = {
      name: old.name,
      check: (abort) => old.check(abort),
      close: () => old.close(),
      write: async (batch, abort) => {
        if (landed) await old.write(batch, abort);
        reached.resolve();
        return new Promise(() => {});
      },
    };
    const running = await world.run(before);
    await reached.promise;
    await running.stop();
    expect(await world.count()).toBe(landed ? events : 0);
    await world.run(world.sink());
    await waitFor('all rows', async () => (await world.count()) >= events, 60_000);
    await produceEvents(world.config, 50, (n) => ({ ...monthly(n), event_id: `${n}`.padStart(32, 'e') }));
    await waitFor('the proof', async () => (await world.count()) >= events + 50, 60_000);
    await world.expectEachOnce(events + 50);
  },
);

test('a batch that was begun with a key is finished with it, whatever is configured by then, and nobody is there twice', async (scope) => {
  const { address, clickhouse, expectEachOnce } = await makeDatabase(scope);
  const [now, before] = ['n', 'b']
    .flatMap((letter) => pseudonymsOf({ erasure: { keys: [new Secret(letter.repeat(40))], graceDays: 30 } }))
    .map((by) => new Hiding(by, new Set()));
  if (!now || !before) throw new Error('two keys');
  const sinks = [before, now, undefined].map((hiding) =>
    createClickHouseSink(connect(address), log, { hiding, hidings: [now, before] }),
  );
  scope.onTestFinished(async () => void (await Promise.all(sinks.map((sink) => sink.close()))));
  const records = Array.from({ length: 8 }, (_, n) => recordOf({ ...monthly(n % 2), event_id: `${n}` }));
  const [begun] = sinks;
  // It was announced by the first of them, whose answers were lost; then the key was changed, and then there were to be no pseudonyms.
  for (const sink of sinks)
    for (const piece of await sink.prepare(records, begun?.cut))
      expect(await piece.write(`redone/${piece.key}`, signal)).toEqual(piece.indexes.map(() => DELIVERED));
  await expectEachOnce(8);
  const [found] = await clickhouse.query<{ recipients: string[]; messages: string[] }>(
    `SELECT (SELECT groupUniqArray(recipient_key) FROM email_events) AS recipients,
       (SELECT groupUniqArray(recipient_key) FROM message_facts) AS messages`,
  );
  const hashed = [expect.stringMatching(/^hashed:[0-9a-f]{32}@mail\.example$/)];
  expect(found).toEqual({ recipients: hashed, messages: found?.recipients });
  expect(new Set(sinks.map(({ cut }) => cut)).size).toBe(3);
});

test('an insert that is late lands later, is repeated unchanged, and is waited for longer', async (scope) => {
  const { address, clickhouse, expectEachOnce } = await makeDatabase(scope);
  await clickhouse.command('CREATE TABLE slow (event_id String, slept UInt8) ENGINE = Null');
  await clickhouse.command(
    'CREATE MATERIALIZED VIEW slow_mv TO slow AS SELECT event_id, sleepEachRow(0.05) AS slept FROM email_events',
  );
  const sink = createClickHouseSink(connect(address), log, { insertMs: 200 });
  scope.onTestFinished(() => sink.close());
  // A second and a half for each month, in which it is asked again after 0.2, 0.4 and 0.8 s.
  const records = Array.from({ length: 60 }, (_, n) => recordOf({ ...monthly(n % 2), event_id: `${n}` }));
  const [done, late] = [new Set<string>(), new Set<string>()];
  await waitFor('both pieces are in', async () => {
    for (const piece of await sink.prepare(records, sink.cut)) {
      // As the runner does it, what has ended is not written again.
      if (done.has(piece.key)) continue;
      const [verdict] = await piece.write(`slow/${piece.key}`, signal);
      if (verdict?.outcome === 'delivered') {
        done.add(piece.key);
        continue;
      }
      expect(verdict).toEqual({ outcome: 'retry', code: 'SINK_CLICKHOUSE_UNAVAILABLE', smaller: true });
      late.add(piece.key);
    }
    return done.size === 2;
  });
  expect(late.size).toBe(2);
  await waitFor('what was given up has ended', async () => {
    const running = await clickhouse.query(
      'SELECT 1 FROM system.processes WHERE current_database = currentDatabase() AND query_kind = {kind:String}',
      { kind: 'Insert' },
    );
    return running.length === 0;
  });
  await expectEachOnce(60);
});

test('an owner that was frozen while others were inserted repeats its insert in vain, as long as the table remembers it', async (scope) => {
  const { address, clickhouse, expectEachOnce } = await makeDatabase(scope);
  const sink = createClickHouseSink(connect(address), log);
  scope.onTestFinished(() => sink.close());
  const settings = async () => {
    const found = await clickhouse.query<{ name: string; create: string }>(
      'SELECT name, create_table_query AS create FROM system.tables WHERE database = currentDatabase()',
    );
    const windows = found.map(({ name, create }) => {
      const [, window] = /non_replicated_deduplication_window = (\d+)/.exec(create) ?? [];
      return [name, Number(window ?? Number.NaN)] as const;
    });
    return new Map(windows.filter(([, window]) => !Number.isNaN(window)));
  };
  const windows = await settings();
  expect(windows.size).toBe(7);
  // An hour: of lanes of events, and of lanes of replays.
  const seconds = 3_600 + (2 * INSERTS_AHEAD_MS) / 1_000;
  for (const [name, window] of windows)
    expect(window, name).toBeGreaterThanOrEqual(2 * seconds * MOST_INSERTS);
  const recordsOf = (what: string, months: readonly number[]) =>
    months.map((n) => recordOf({ ...monthly(n), event_id: `${what} ${n}` }));
  const write = async (id: string, records: readonly SinkRecord<ClickHouseValue>[]) => {
    await waitFor('it is in', async () => {
      const verdicts = await sink.write({ id, records }, signal);
      return verdicts.every(({ outcome }) => outcome === 'delivered');
    });
  };
  /** Each month is a part. */
  const others = 80;
  const frozen = async (id: string) => {
    const records = recordsOf(id, [3]);
    await write(id, records);
    await write(`others of ${id}`, recordsOf(`other than ${id}`, [...Array(others).keys()]));
    await write(id, records);
    const [found] = await clickhouse.query<{ n: string }>(
      'SELECT count() AS n FROM email_events WHERE event_id = {id:String}',
      { id: `${id} 3` },
    );
    return Number(found?.n);
  };
  expect(await frozen('first')).toBe(1);
  await expectEachOnce(others + 1);
  // It is the table's memory that does it: with a short one the row is there twice.
  await clickhouse.command(
    `ALTER TABLE email_events MODIFY SETTING non_replicated_deduplication_window = ${others / 2}`,
  );
  expect(await frozen('forgotten')).toBe(2);
  // A table with a short memory, as it was before, gets the long one by the migration.
  const window = windows.get('email_events');
  await clickhouse.command(
    `ALTER TABLE email_events MODIFY SETTING non_replicated_deduplication_window = ${window}`,
  );
  expect(await frozen('remembered')).toBe(1);
});

test('a row with which an insert fails for ever is refused, after a number of tries, and the others are in once', async (scope) => {
  const { address, expectEachOnce } = await makeDatabase(scope);
  const url = `${address.url}/?ch_max_memory_usage=12000000`;
  const sink = createClickHouseSink(connect({ ...address, url }), log);
  scope.onTestFinished(() => sink.close());
  const huge = recordOf({ ...monthly(0), event_id: 'huge', metadata: { big: 'x'.repeat(6_000_000) } });
  const records = [
    ...Array.from({ length: 20 }, (_, n) => recordOf({ ...monthly(0), event_id: `${n}` })),
    huge,
  ];
  const write = async (attempts: number) => {
    const [piece] = await sink.prepare(
      records.map((record) => ({ ...record, attempts })),
      sink.cut,
    );
    return (await piece?.write('huge/piece', signal)) ?? [];
  };
  for (let attempts = 0; attempts < 6; attempts++) {
    const verdicts = await write(attempts);
    expect(new Set(verdicts.map(({ outcome }) => outcome))).toEqual(new Set(['retry']));
  }
  const verdicts = await write(6);
  expect(verdicts.map(({ outcome }) => outcome)).toEqual([...Array(20).fill('delivered'), 'dead-letter']);
  expect(verdicts.at(-1)).toMatchObject({ code: 'SINK_CLICKHOUSE_ROW_REFUSED' });
  await expectEachOnce(20);
});

/** So many usual events of other lanes. */
function elsewhere({ topics: { partitions } }: PipelineConfig, count: number): EmailEvent[] {
  const laneOfOne = partitionOf(recipientKey(ONE), partitions);
  const all = Array.from({ length: count * 4 }, (_, n) => eventOf(100_000 + n));
  return all
    .filter(({ recipient }) => partitionOf(recipientKey(recipient), partitions) !== laneOfOne)
    .slice(0, count);
}

/** Counts what is written of each batch. */
const counted = (piece: SinkPiece, batches: Map<string, number>): SinkPiece => ({
  ...piece,
  write: (id, abort) => {
    const batch = id.split('/')[0] ?? '';
    batches.set(batch, (batches.get(batch) ?? 0) + 1);
    return piece.write(id, abort);
  },
});

function recordOf(event: Partial<EmailEvent>): SinkRecord<ClickHouseValue> {
  const value = { ...event, type: 'delivered' } as unknown as ClickHouseValue;
  return {
    topic: topics.events('delivered'),
    key: event.recipient ?? null,
    value,
    timestamp: 0,
    attempts: 0,
  };
}

async function makeDatabase(scope: TestScope) {
  const { clickhouseAt, uniqueDatabase } = useStack();
  const address: ClickHouseAddress = clickhouseAt(uniqueDatabase('pieces'));
  await migrate(address);
  const clickhouse = connect(address);
  scope.onTestFinished(async () => {
    await clickhouse.command(`DROP DATABASE ${address.database}`);
    await clickhouse.close();
  });
  return { address, clickhouse, expectEachOnce: (events: number) => expectEachOnce(clickhouse, events) };
}

/** The runner of the ClickHouse sink as its service starts it, over the events of a vacant stack. */
async function makeWorld(scope: TestScope) {
  const { kafka, registry, unique } = await vacantStack(scope);
  const database = await makeDatabase(scope);
  const { clickhouse, address } = database;
  const config: PipelineConfig = pipelineConfig.parse({
    kafka: { ...kafka, sessionTimeoutMs: 6_000 },
    registry,
    topics: { partitions: 3 },
  });
  await applyTopics(config.kafka, topicCatalogue(config.topics));
  await registerSchemas(registry);
  const name = unique('pieces');
  const schemas = new Map<string, SchemaKey>(EVENT_TYPES.map((type) => [topics.events(type), type]));
  const count = async (where = 'true') => {
    const [row] = await clickhouse.query<{ n: string }>(
      `SELECT count() AS n FROM email_events WHERE ${where}`,
    );
    return Number(row?.n);
  };
  return {
    ...database,
    ...{ config, count },
    sink: (): ClickHouseSink => createClickHouseSink(connect(address), log),
    async run(sink: Sink<ClickHouseValue>): Promise<RunningSink> {
      const codec = new Codec(registry);
      const running = await runSink<ClickHouseValue>({
        ...{ kafka: config.kafka, deadLetterPartitions: config.topics.deadLetterPartitions, codec, name },
        topics: [...schemas.keys()],
        laneOf: (_topic, partition) => `events-${partition}`,
        reader: avroReader(codec, schemas),
        ...{ sink, concurrency: 2, batchRows: 10_000, batchBytes: 16_777_216, flushMs: 1_000, stopMs: 50 },
        ...{ metrics: createMetrics('test'), log },
      });
      scope.onTestFinished(() => running.stop());
      return running;
    },
  };
}

/** In the table and in its rollup, by month: a rollup that a repeated piece missed, or got twice, shows. */
async function expectEachOnce(clickhouse: ClickHouse, events: number): Promise<void> {
  const [table] = await clickhouse.query<{ n: string; ids: string }>(
    'SELECT count() AS n, uniqExact(event_id) AS ids FROM email_events',
  );
  expect(table).toEqual({ n: `${events}`, ids: `${events}` });
  const byMonth = (from: string, what: string, when: string) =>
    clickhouse.query(
      `SELECT toYYYYMM(${when}) AS month, ${what} AS n FROM ${from} GROUP BY month ORDER BY month`,
    );
  expect(await byMonth('email_events_hourly', 'sum(events)', 'hour')).toEqual(
    await byMonth('email_events', 'count()', 'occurred_at'),
  );
}
