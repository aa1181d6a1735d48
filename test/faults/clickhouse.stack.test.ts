import { type Logger, Secret, type SinkRecord } from '@email-events/core';
import { type EmailEvent, topics } from '@email-events/schemas';
import {
  type ClickHouse,
  type ClickHouseAddress,
  type ClickHouseValue,
  connect,
  createClickHouseSink,
  migrate,
} from '@email-events/sink-clickhouse';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { eventOf } from '../bench/typed-events.ts';
import { useStack, waitFor } from '../harness/stack.ts';
import { startTcpProxy } from '../harness/tcp-proxy.ts';

// The answers of a ClickHouse that cannot or will not take rows, and what the sink makes of them. What the services do then
// is in failures.own-stack.test.ts, and that nothing is written twice in sink-clickhouse-crash.own-stack.test.ts.
const { signal } = new AbortController();
const RECIPIENT = 'somebody.in.particular@mail.example';

let address: ClickHouseAddress;
let admin: ClickHouse;
let logged: string[];
beforeEach(async () => {
  const { clickhouseAt, uniqueDatabase } = useStack();
  const database = uniqueDatabase('failing');
  address = clickhouseAt(database);
  await migrate(address);
  admin = connect(address);
  logged = [];
  onTestFinished(async () => {
    await admin.command(`DROP DATABASE ${database}`);
    await admin.close();
    expect(logged.join()).not.toContain(RECIPIENT);
  });
});

/** Keeps what is logged, to see that no row is in it. */
const log = new Proxy({} as Logger, {
  get: () => (fields: object, message: string) => logged.push(`${JSON.stringify(fields)} ${message}`),
});

function sinkAt(change: Partial<ClickHouseAddress> = {}) {
  const sink = createClickHouseSink(connect({ ...address, ...change }), log);
  onTestFinished(() => sink.close());
  return sink;
}

function batch(id: string, size = 20) {
  const records = Array.from({ length: size }, (_, n): SinkRecord<ClickHouseValue> => {
    const value: EmailEvent = {
      ...eventOf(n),
      type: 'delivered',
      event_id: `${id}-${n}`,
      recipient: RECIPIENT,
    };
    const topic = topics.events('delivered');
    return { topic, key: RECIPIENT, value: value as ClickHouseValue, timestamp: 0, attempts: 0 };
  });
  return { id, records };
}

async function stored() {
  const [row] = await admin.query<{ rows: string; rollup: string }>(
    'SELECT count() AS rows, (SELECT sum(events) FROM email_events_hourly) AS rollup FROM email_events',
  );
  return [Number(row?.rows), Number(row?.rollup)];
}

/** The whole batch waits, under this code, and the check of readiness says the same. */
async function expectWaiting(sink: ReturnType<typeof sinkAt>, code: string, checked = code): Promise<void> {
  const verdicts = await sink.write(batch('a'), signal);
  expect(verdicts).toMatchObject(Array(20).fill({ outcome: 'retry', code }));
  if (checked === 'ok') await sink.check(signal);
  else await expect(sink.check(signal)).rejects.toMatchObject({ code: checked, disposition: 'retry' });
  expect(logged.at(-1)).toContain(code);
}

async function expectOnce(sink: ReturnType<typeof sinkAt>): Promise<void> {
  for (let n = 0; n < 2; n++) {
    expect(await sink.write(batch('a'), signal)).toEqual(Array(20).fill({ outcome: 'delivered' }));
  }
  expect(await stored()).toEqual([20, 20]);
}

test('a wrong password', async () => {
  await expectWaiting(sinkAt({ password: new Secret('wrong') }), 'SINK_CLICKHOUSE_REFUSED');
  await expectOnce(sinkAt());
});

test('a user who may only read', async () => {
  await expectWaiting(sinkAt({ username: 'analyst' }), 'SINK_CLICKHOUSE_REFUSED');
  await expectOnce(sinkAt());
});

test('too little memory for the insert', async () => {
  const url = `${address.url}/?ch_max_memory_usage=100000`;
  await expectWaiting(sinkAt({ url }), 'SINK_CLICKHOUSE_OVERLOADED', 'ok');
  await expectOnce(sinkAt());
});

test('too many parts', async () => {
  await admin.command('SYSTEM STOP MERGES email_events');
  const sink = sinkAt();
  await sink.write(batch('before'), signal);
  await admin.command(
    'ALTER TABLE email_events MODIFY SETTING parts_to_throw_insert = 1, parts_to_delay_insert = 1',
  );
  await expectWaiting(sink, 'SINK_CLICKHOUSE_OVERLOADED');
  await admin.command('ALTER TABLE email_events RESET SETTING parts_to_throw_insert, parts_to_delay_insert');
  await sink.write(batch('a'), signal);
  expect(await stored()).toEqual([40, 40]);
});

test.each([
  [
    'a column that is missing',
    'ALTER TABLE email_events RENAME COLUMN payload TO payloads',
    'ALTER TABLE email_events RENAME COLUMN payloads TO payload',
  ],
  ['a table that is detached', 'DETACH TABLE email_events', 'ATTACH TABLE email_events'],
  [
    'a table that has another name',
    'RENAME TABLE email_events TO elsewhere',
    'RENAME TABLE elsewhere TO email_events',
  ],
])('%s', async (_, breaking, mending) => {
  const sink = sinkAt();
  await admin.command(breaking);
  await expectWaiting(sink, 'SINK_CLICKHOUSE_SCHEMA');
  await admin.command(mending);
  await expectOnce(sink);
});

test('a rollup that fails takes the rows of its table with it', async () => {
  const sink = sinkAt();
  await admin.command('RENAME TABLE email_events_hourly TO elsewhere');
  const verdicts = await sink.write(batch('a'), signal);
  expect(verdicts.every(({ outcome }) => outcome === 'retry')).toBe(true);
  await admin.command('RENAME TABLE elsewhere TO email_events_hourly');
  await expectOnce(sink);
});

test('a column that is changed while rows come', async () => {
  const sink = sinkAt();
  let altering = true;
  const altered = (async () => {
    for (const type of ['LowCardinality(String)', 'String', 'LowCardinality(String)']) {
      await admin.command(`ALTER TABLE email_events MODIFY COLUMN source ${type}`);
    }
  })().finally(() => {
    altering = false;
  });
  let batches = 0;
  while (altering || batches < 5) {
    const { id, records } = batch(`during-${batches++}`);
    await waitFor('the batch is in', async () => {
      const verdicts = await sink.write({ id, records }, signal);
      return verdicts.every(({ outcome }) => outcome === 'delivered');
    });
  }
  await altered;
  expect(await stored()).toEqual([20 * batches, 20 * batches]);
});

test('an answer that is slow, and one that never comes', async () => {
  const proxy = await startTcpProxy(address.url);
  onTestFinished(() => proxy.stop());
  const sink = sinkAt({ url: proxy.url });
  proxy.delay(300);
  expect((await sink.write(batch('a'), signal))[0]).toEqual({ outcome: 'delivered' });
  const cut = setInterval(() => proxy.cut(), 50);
  expect((await sink.write(batch('b'), signal))[0]).toEqual({
    outcome: 'retry',
    code: 'SINK_CLICKHOUSE_UNAVAILABLE',
  });
  clearInterval(cut);
  proxy.delay(0);
  for (let n = 0; n < 2; n++) await sink.write(batch('b'), signal);
  expect(await stored()).toEqual([40, 40]);
});
