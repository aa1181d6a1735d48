import { createLogger, type SinkRecord } from '@email-events/core';
import {
  avroType,
  createDecoder,
  EVENT_TYPES,
  type EventType,
  schemas,
  topics,
  VALUE_START,
} from '@email-events/schemas';
import {
  type ClickHouse,
  type ClickHouseValue,
  connect,
  createClickHouseSink,
  migrate,
} from '@email-events/sink-clickhouse';
import { expect, test } from 'vitest';
import { eventOf } from '../bench/typed-events.ts';
import { type TestScope, useStack } from '../harness/stack.ts';

// Rows go to the table in binary, made of Avro's bytes. The version before sent lines of JSON, and a table that was altered still gets them.
const log = createLogger('sink-formats-test', 'silent');
const { signal } = new AbortController();
const ID = '0123456789abcdef';

async function makeDatabase(scope: TestScope) {
  const { clickhouseAt, uniqueDatabase } = useStack();
  const address = clickhouseAt(uniqueDatabase('formats'));
  await migrate(address);
  const clickhouse = connect(address);
  const sink = createClickHouseSink(connect(address), log);
  scope.onTestFinished(async () => {
    await clickhouse.command(`DROP DATABASE ${address.database}`);
    await clickhouse.close();
    await sink.close();
  });
  /** What became of them. Throws if a piece has to be tried again. */
  const write = async (records: readonly SinkRecord<ClickHouseValue>[], id = ID) => {
    const outcomes: string[] = [];
    for (const piece of await sink.prepare(records, sink.cut))
      for (const { outcome } of await piece.write(`${id}/${piece.key}`, signal)) outcomes.push(outcome);
    return new Set(outcomes);
  };
  return { clickhouse, write };
}

/** As the runner gives it: bytes, with their writer. */
async function recordOf(type: EventType, event: object, key: string): Promise<SinkRecord<ClickHouseValue>> {
  const bytes = Buffer.concat([Buffer.from([0, 0, 0, 0, 7]), avroType(type).toBuffer(event)]);
  const decoder = createDecoder<ClickHouseValue>(avroType(type), async () => schemas[type]);
  await decoder.load([bytes]);
  const writer = decoder.writerOf(bytes);
  return {
    ...{ topic: topics.events(type), key, timestamp: 0, attempts: 0 },
    value: decoder.decode(bytes),
    encoded: writer && { bytes, start: VALUE_START, key: Buffer.from(key), writer },
  };
}

/** Two of each type, with all its fields: one of random values, and one as they come. */
async function records(): Promise<SinkRecord<ClickHouseValue>[]> {
  const found: SinkRecord<ClickHouseValue>[] = [];
  for (const [n, type] of EVENT_TYPES.entries()) {
    const random = avroType(type).random() as object;
    const times = { occurred_at: Date.UTC(2026, 8, 1 + n), received_at: Date.UTC(2026, 8, 2, n) };
    const strange = {
      metadata: { 'k"\n': '\u0000 ü 🎈', '': '' },
      tags: ['a\tb', ''],
      subject: '\\N',
      sender: '',
    };
    found.push(
      await recordOf(
        type,
        { ...random, ...times, ...strange, event_id: `random ${type}` },
        'ann@example.com',
      ),
    );
    const usual = { ...eventOf(n), ...REQUIRED, ...times, event_id: `usual ${type}` };
    found.push(await recordOf(type, usual, 'bob@example.com'));
  }
  return found;
}

/** Fields without a default, of which a usual event has those of one type. */
const REQUIRED = {
  ...{ bounce_class: 'hard', bounce_category: 'invalid_mailbox', drop_reason: 'suppressed' },
  ...{ scope: 'all', payload: '{}' },
};

/** Their cells as text, whatever the types of their columns. */
async function rowsIn(clickhouse: ClickHouse): Promise<object[]> {
  return clickhouse.query(
    'SELECT * APPLY toString FROM (SELECT * EXCEPT inserted_at FROM email_events ORDER BY event_id)',
  );
}

test('binary rows say what lines of JSON say, in every column of every type', async (scope) => {
  const [binary, lines] = [await makeDatabase(scope), await makeDatabase(scope)];
  // Not of the type that binary rows are for.
  await lines.clickhouse.command('ALTER TABLE email_events MODIFY COLUMN attempt Nullable(Int64)');
  const all = await records();
  expect(await binary.write(all)).toEqual(new Set(['delivered']));
  expect(await lines.write(all)).toEqual(new Set(['delivered']));
  const rows = await rowsIn(binary.clickhouse);
  expect(rows).toHaveLength(all.length);
  expect(rows).toEqual(await rowsIn(lines.clickhouse));
});

test('what the version before had sent as lines is not there twice, nor missing, when it is redone in binary', async (scope) => {
  const { clickhouse, write } = await makeDatabase(scope);
  const all = await records();
  const line = (of: SinkRecord<ClickHouseValue>) =>
    JSON.stringify({ ...of.value, type: of.topic.split('.').at(-1), recipient_key: of.key });
  // The rows of one month, as that version sent them, under its token.
  await clickhouse.insert(
    'INSERT INTO email_events FORMAT JSONEachRow',
    [Buffer.from(all.map((of) => line(of)).join('\n'))],
    {
      insert_deduplication_token: `${ID}/email_events/202609`,
      deduplicate_blocks_in_dependent_materialized_views: 1,
      input_format_parallel_parsing: 0,
    },
    signal,
  );
  const before = await rowsIn(clickhouse);
  expect(before).toHaveLength(all.length);
  expect(await write(all)).toEqual(new Set(['delivered']));
  expect(await rowsIn(clickhouse)).toEqual(before);
  const [rollup] = await clickhouse.query<{ n: string }>('SELECT sum(events) AS n FROM email_events_hourly');
  expect(rollup?.n).toBe(`${all.length}`);
  // Of a batch that had not landed it is the first.
  expect(await write(all, 'another')).toEqual(new Set(['delivered']));
  expect(await rowsIn(clickhouse)).toHaveLength(2 * all.length);
});

test('a table that is altered while rows go into it refuses what is no longer meant, and no row is given up', async (scope) => {
  const { clickhouse, write } = await makeDatabase(scope);
  const all = await records();
  expect(await write(all)).toEqual(new Set(['delivered']));
  // As many bytes as before, which would be read as something else.
  await clickhouse.command('ALTER TABLE email_events MODIFY COLUMN attempt Nullable(Float32)');
  const first = await write(all, 'second');
  expect(first.has('dead-letter')).toBe(false);
  if (first.has('retry')) expect(await write(all, 'second')).toEqual(new Set(['delivered']));
  await clickhouse.command('ALTER TABLE email_events MODIFY COLUMN sender LowCardinality(Nullable(String))');
  for (let n = 0; n < 2; n++) expect((await write(all, 'third')).has('dead-letter')).toBe(false);
  expect(await rowsIn(clickhouse)).toHaveLength(3 * all.length);
  const attempts = await clickhouse.query(
    'SELECT event_id, uniqExact(attempt) AS n FROM email_events GROUP BY event_id HAVING n > 1',
  );
  expect(attempts).toEqual([]);
});
