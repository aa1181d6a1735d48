import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import {
  decodeRawHeaders,
  type ErrorCode,
  encodeRawHeaders,
  PipelineError,
  type PublishRecord,
} from '@email-events/core';
import { partitionOf } from '@email-events/schemas';
import { expect, onTestFinished, test } from 'vitest';
import { Placement } from '../placement.ts';
import { type LogLine, logInto } from '../testing/harness.ts';
import { Drain } from './drain.ts';
import { Spool } from './spool.ts';
import { temporaryFolder } from './testing/store.ts';

/** Longer than a test may take. */
const TOO_LONG_MS = 600_000;

/** A real spool, drained to a Kafka that does as the test says. */
async function setUp(answer: (record: PublishRecord, n: number) => ErrorCode | undefined = () => undefined) {
  const dir = temporaryFolder({ onTestFinished });
  const logs: LogLine[] = [];
  const log = logInto(logs);
  const spool = await Spool.start({ dir, maxBytes: 1e9, log });
  onTestFinished(() => spool.close());
  const kafka = { problem: 'KAFKA_UNREACHABLE' as ErrorCode | undefined, published: [] as PublishRecord[] };
  const counts = { drained: 0, refused: 0, asked: 0 };
  const drain = new Drain({
    placement: new Placement(6),
    spool,
    producer: {
      health: () => kafka.problem,
      publish: async (record) => {
        const code = answer(record, counts.asked++);
        if (code) throw new PipelineError(code, code === 'KAFKA_RECORD_TOO_LARGE' ? 'reject' : 'retry', 'no');
        kafka.published.push(record);
        return { partition: 0, offset: 0 };
      },
    },
    log,
    drained: () => counts.drained++,
    refused: () => counts.refused++,
  });
  onTestFinished(() => drain.stop());
  drain.start();
  const names = () => kafka.published.map(({ headers }) => String(headers['request-id']));
  return { dir, logs, spool, kafka, counts, drain, names };
}

function requestOf(n: number, bytes = 100): PublishRecord {
  const headers = encodeRawHeaders({
    requestId: `r${n}`,
    source: 'shop',
    esp: 'sendgrid',
    receivedAt: 1_700_000_000_123,
    method: 'POST',
    url: '/webhooks/email-events/shop?täg=ü',
    contentType: null,
    remoteAddress: '127.0.0.1',
    headers: { 'x-odd': 'Ünïcode \u0000 "quoted"' },
  });
  return { value: Buffer.alloc(bytes, n), headers };
}

const range = (count: number) => Array.from({ length: count }, (_, n) => n);

test('a request whose token was signed goes to the partition of that token, as if it had gone there at once', async () => {
  const { spool, kafka } = await setUp();
  const { value, headers } = requestOf(1);
  const raw = decodeRawHeaders(headers);
  if (!raw) throw new Error('no headers');
  const tokenDigest = '0123456789abcdef0123456789abcdef';
  await spool.append({ value, headers: encodeRawHeaders({ ...raw, tokenDigest }) });
  await spool.append(requestOf(2));
  kafka.problem = undefined;
  await expect.poll(() => kafka.published.length).toBe(2);
  expect(kafka.published[0]?.partition).toBe(partitionOf(tokenDigest, 6));
  expect(kafka.published[1]).not.toHaveProperty('partition');
});

test('waits for Kafka, then brings everything in order, with the bytes and headers that it came with', async () => {
  const { spool, kafka, counts, drain, names } = await setUp();
  const requests = range(40).map((n) => requestOf(n, n * 1_000));
  await Promise.all(requests.map((request) => spool.append(request)));
  await expect.poll(() => drain.state).toBe('waiting');
  expect(spool.status).toMatchObject({ records: 40, problem: undefined });
  expect(kafka.published).toEqual([]);
  kafka.problem = undefined;
  await expect.poll(() => spool.status.records, { timeout: 5_000 }).toBe(0);
  expect(names()).toEqual(range(40).map((n) => `r${n}`));
  expect(kafka.published).toEqual(requests);
  expect(counts).toMatchObject({ drained: 40, refused: 0 });
  await expect.poll(() => drain.state).toBe('idle');
  // A request that is spooled later goes too, without waiting for the next look.
  await spool.append(requestOf(99));
  await expect.poll(() => names().at(-1), { timeout: 1_500 }).toBe('r99');
});

test('Kafka goes away in the middle: the rest stays and goes when it is back', async () => {
  let away = true;
  const { spool, kafka, names } = await setUp((_, n) =>
    away && n >= 7 ? 'KAFKA_PUBLISH_FAILED' : undefined,
  );
  await Promise.all(range(20).map((n) => spool.append(requestOf(n))));
  kafka.problem = undefined;
  await expect.poll(() => spool.status.records, { timeout: 5_000 }).toBe(13);
  away = false;
  await expect.poll(() => spool.status.records, { timeout: 5_000 }).toBe(0);
  expect(names()).toEqual(range(20).map((n) => `r${n}`));
});

test('one that Kafka refuses for good: the others go, it is set aside, counted and logged', async () => {
  const { dir, logs, spool, kafka, counts, names } = await setUp(({ headers }) =>
    String(headers['request-id']) === 'r3' ? 'KAFKA_RECORD_TOO_LARGE' : undefined,
  );
  await Promise.all(range(8).map((n) => spool.append(requestOf(n))));
  kafka.problem = undefined;
  await expect.poll(() => spool.status.setAside, { timeout: 5_000 }).toBe(1);
  expect(names()).toEqual([0, 1, 2, 4, 5, 6, 7].map((n) => `r${n}`));
  expect(readdirSync(join(dir, 'set-aside'))).toHaveLength(1);
  expect(counts).toMatchObject({ drained: 7, refused: 1 });
  const lines = logs.filter(({ code }) => code === 'INGRESS_SPOOL_RECORD_REFUSED');
  expect(lines).toMatchObject([
    { level: 'error', requestId: 'r3', source: 'shop', cause: 'KAFKA_RECORD_TOO_LARGE' },
  ]);
  await spool.append(requestOf(50));
  await expect.poll(() => names().at(-1), { timeout: 5_000 }).toBe('r50');
});

test('stopped in the middle: it ends soon, and the next one goes on', async () => {
  const { dir, spool, kafka, drain, names } = await setUp();
  await Promise.all(range(2_000).map((n) => spool.append(requestOf(n))));
  kafka.problem = undefined;
  await expect.poll(() => kafka.published.length, { interval: 1 }).toBeGreaterThan(0);
  await drain.stop();
  await spool.close();
  const before = names();
  const next = await Spool.start({ dir, maxBytes: 1e9, log: logInto([]) });
  onTestFinished(() => next.close());
  const rest: string[] = [];
  for (let batch = await next.next(500, 1e9); batch; batch = await next.next(500, 1e9)) {
    rest.push(...batch.records.map(({ headers }) => JSON.parse(headers)['request-id']));
    await next.settle(
      batch.spool,
      batch.records.map(({ seq }) => seq),
      [],
    );
  }
  expect([...before, ...rest]).toEqual(range(2_000).map((n) => `r${n}`));
  expect(rest.length).toBeGreaterThan(0);
});

test('stopped with time to empty the spool: it ends when nothing is left, or when the time is over and the rest stays', async () => {
  const { spool, kafka, drain } = await setUp();
  await Promise.all(range(30).map((n) => spool.append(requestOf(n))));
  const stopped = drain.stop(60_000);
  await expect.poll(() => drain.state).toBe('waiting');
  kafka.problem = undefined;
  await stopped;
  expect(spool.status.records).toBe(0);
  expect(kafka.published).toHaveLength(30);

  const other = await setUp();
  await other.spool.append(requestOf(1));
  await other.drain.stop(50);
  expect(other.spool.status.records).toBe(1);
  expect(other.kafka.published).toEqual([]);
});

test('stopped with Kafka away and nothing left, it does not wait for Kafka', async () => {
  const { spool, drain } = await setUp();
  await expect.poll(() => drain.state).toBe('waiting');
  await drain.stop(TOO_LONG_MS);
  expect(spool.status.records).toBe(0);
});

test('stopped with Kafka away, it waits for what another process left, too', async () => {
  const { dir, spool, kafka, drain } = await setUp();
  const other = await Spool.start({ dir, maxBytes: 1e9, log: logInto([]) });
  await other.append(requestOf(1));
  await other.close();
  expect(spool.status.records).toBe(0);
  const stopped = drain.stop(TOO_LONG_MS);
  await expect.poll(() => spool.status.records, { timeout: 5_000 }).toBe(1);
  kafka.problem = undefined;
  await stopped;
  expect(kafka.published).toHaveLength(1);
});

test('a look that began before it was stopped does not tell that nothing is left', async () => {
  const looks: (() => void)[] = [];
  const drain = new Drain({
    placement: new Placement(6),
    spool: {
      next: () => new Promise((resolve) => looks.push(() => resolve(undefined))),
      settle: async () => {},
      appended: () => new Promise(() => {}),
    },
    producer: { health: () => undefined, publish: () => Promise.reject(new Error('there is nothing')) },
    log: logInto([]),
    drained: () => {},
    refused: () => {},
  });
  drain.start();
  expect(looks).toHaveLength(1);
  let isStopped = false;
  const stopped = drain.stop(TOO_LONG_MS).then(() => {
    isStopped = true;
  });
  looks[0]?.();
  await expect.poll(() => looks.length).toBe(2);
  expect(isStopped).toBe(false);
  looks[1]?.();
  await stopped;
});

test('a directory that cannot be used is a problem of the configuration', async () => {
  const dir = temporaryFolder({ onTestFinished });
  await expect(
    Spool.start({ dir: '/dev/null/spool', maxBytes: 1e9, log: logInto([]) }),
  ).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    problems: [{ path: 'ingress.spool.dir' }],
  });
  expect(readdirSync(dir)).toEqual([]);
});
