import type { SinkRecord } from '@email-events/core';
import { createLogger } from '@email-events/core';
import { type EmailEvent, topics } from '@email-events/schemas';
import {
  type ClickHouseAddress,
  type ClickHouseValue,
  connect,
  createClickHouseSink,
  eraseRecipients,
  migrate,
} from '@email-events/sink-clickhouse';
import { expect, onTestFinished, test } from 'vitest';
import { eventOf } from '../bench/typed-events.ts';
import { useStack } from '../harness/stack.ts';
import { startTcpProxy } from '../harness/tcp-proxy.ts';
import { sinkContract } from './sink.ts';

const log = createLogger('clickhouse-contract', 'silent');
const { signal } = new AbortController();

function record(text: string): SinkRecord<ClickHouseValue> {
  const value: EmailEvent = { ...eventOf(1), type: 'delivered', event_id: text };
  return {
    topic: topics.events('delivered'),
    key: value.recipient,
    value: value as ClickHouseValue,
    timestamp: 0,
    attempts: 0,
  };
}

async function database(): Promise<ClickHouseAddress> {
  const { clickhouseAt, uniqueDatabase } = useStack();
  const address = clickhouseAt(uniqueDatabase('contract'));
  await migrate(address);
  return address;
}

async function openSink() {
  const address = await database();
  const proxy = await startTcpProxy(address.url);
  const direct = connect(address);
  return {
    sink: createClickHouseSink(connect({ ...address, url: proxy.url }), log),
    rows: async () => {
      const rows = await direct.query<{ event_id: string }>('SELECT event_id FROM email_events');
      const [rollup] = await direct.query<{ events: string }>(
        'SELECT sum(events) AS events FROM email_events_hourly',
      );
      expect(Number(rollup?.events)).toBe(rows.length);
      return rows.map(({ event_id }) => event_id);
    },
    breakDown: () => proxy.stop(),
    mend: () => proxy.start(),
    dispose: async () => {
      await direct.command(`DROP DATABASE ${address.database}`);
      await direct.close();
      await proxy.stop();
    },
  };
}

sinkContract<ClickHouseValue>('clickhouse', {
  open: openSink,
  good: record,
  bad: () => ({ ...record('x'), value: null }),
});

test('rows that the server cannot read are found and refused, the others are written once', async () => {
  const { sink, rows, dispose } = await openSink();
  onTestFinished(dispose);
  const broken = (text: string) => {
    const good = record(text);
    return {
      ...good,
      value: { ...(good.value as EmailEvent), raw_offset: 'no number' as never } as ClickHouseValue,
    };
  };
  const records = Array.from({ length: 40 }, (_, n) => (n % 13 === 5 ? broken(`${n}`) : record(`${n}`)));
  for (let n = 0; n < 2; n++) {
    const verdicts = await sink.write({ id: 'refused', records }, signal);
    const refused = verdicts.flatMap((verdict, index) => (verdict.outcome === 'dead-letter' ? [index] : []));
    expect(refused).toEqual([5, 18, 31]);
  }
  expect(await rows()).toHaveLength(37);
  await sink.close();
});

test('a batch over several months is one row an event, however often it is written', async () => {
  const { sink, rows, dispose } = await openSink();
  onTestFinished(dispose);
  const records = Array.from({ length: 150 }, (_, n) => {
    const good = record(`${n}`);
    const occurred_at = Date.UTC(2010 + (n % 15), n % 12, 1 + (n % 28));
    return { ...good, value: { ...(good.value as EmailEvent), occurred_at } as ClickHouseValue };
  });
  for (let n = 0; n < 3; n++) await sink.write({ id: 'months', records }, signal);
  expect(await rows()).toHaveLength(150);
  await sink.close();
});

test('without tables its rows wait and the code says what to run', async () => {
  const { clickhouseAt, uniqueDatabase } = useStack();
  const sink = createClickHouseSink(connect(clickhouseAt(uniqueDatabase('missing'))), log);
  const verdicts = await sink.write({ id: 'x', records: [record('a')] }, signal);
  expect(verdicts).toEqual([{ outcome: 'retry', code: 'SINK_CLICKHOUSE_SCHEMA' }]);
  await expect(sink.check(signal)).rejects.toThrow();
  await sink.close();
});

test('a dead letter goes if its bytes have the address, in whichever form, and stays if they have somebody else’s', async () => {
  const address = await database();
  const clickhouse = connect(address);
  onTestFinished(async () => {
    await clickhouse.command(`DROP DATABASE ${address.database}`);
    await clickhouse.close();
  });
  const hers = [
    '{"email":"Ann@Example.com"}',
    'ann@example.com',
    'to=ann@example.com&x=1',
    'a=%22ann@example.com%22',
    String.raw`"\nann@example.com."`,
    String.raw`"\u003cann@example.com>"`,
    Buffer.from([0x9e, ...Buffer.from('ann@example.com'), 0x84]),
    'joann@example.com, ann@example.com',
  ];
  const others = [
    'joann@example.com',
    'j.ann@example.com',
    'ann@example.com.au',
    'ann@example.community',
    'info@example.com',
    // They only look like an escaped character and her address.
    'nann@example.com',
    'u003cann@example.com',
    'cafeann@example.com',
  ];
  const rows = [...hers, ...others].map((bytes, n) => `(${n}, '${Buffer.from(bytes).toString('base64')}')`);
  await clickhouse.command(
    `INSERT INTO dead_letters (origin_offset, value_base64) VALUES ${rows.join(', ')}`,
  );
  const erased = await eraseRecipients(clickhouse, address, [
    'ann@example.com',
    'info',
    `ERASED:${'0'.repeat(32)}@example.com`,
  ]);
  expect(erased.get('dead_letters')).toBe(hers.length);
  const left = await clickhouse.query<{ value: string }>(
    'SELECT value FROM dead_letters ORDER BY origin_offset',
  );
  expect(left.map(({ value }) => value)).toEqual(others);
});
