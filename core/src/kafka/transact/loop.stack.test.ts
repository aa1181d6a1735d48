import { isDeepStrictEqual } from 'node:util';
import { expect, type TestContext, test } from 'vitest';
import { commitOffsets, makeTopics, useStack, waitFor } from '../../../../test/harness/stack.ts';
import {
  commonConfig,
  createMetrics,
  type InputRecord,
  readinessOf,
  readTopic,
  type Stage,
  type Step,
  silentLog,
  startTransactionalLoop,
} from '../../index.ts';
import { createKafka } from '../client/client.ts';

const PARTITIONS = 2;

/** A loop that copies records, on topics made for it, and sets aside what it fails on. A record's key is its source. */
async function start(scope: TestContext) {
  const stack = useStack();
  const { kafka: settings } = commonConfig.parse({ kafka: stack.kafka });
  const [input, out, letters] = [stack.unique('in'), stack.unique('out'), stack.unique('letters')];
  await makeTopics(settings, [input, out, letters], PARTITIONS);
  const metrics = createMetrics('test');
  const work = { faultOf: (_record: InputRecord): unknown => undefined };
  const copy = (topic: string, { partition, key, value }: InputRecord) => ({ topic, partition, key, value });
  const createStage = (): Stage => ({
    open: async () => {},
    close: async () => {},
    checkItself: async () => {},
    process: async (records): Promise<Step> => {
      for (const record of records) {
        const fault = work.faultOf(record);
        if (fault !== undefined) throw fault;
      }
      return { outputs: records.map((record) => copy(out, record)) };
    },
    setAside: async (record): Promise<Step> => ({
      outputs: [copy(letters, record)],
      unforeseen: [{ offset: record.offset, sources: [String(record.key)] }],
    }),
  });
  const loop = await startTransactionalLoop({
    ...{ kafka: settings, name: stack.unique('loop'), topic: input, concurrency: PARTITIONS, createStage },
    ...{ log: silentLog, metrics },
  });
  scope.onTestFinished(() => loop.stop());
  const producer = createKafka(settings, 'test', silentLog).producer();
  await producer.connect();
  scope.onTestFinished(() => producer.disconnect());
  const send = (partition: number, texts: readonly string[], key = 'main') =>
    producer.send({ topic: input, messages: texts.map((value) => ({ partition, key, value })) });
  const textsOf = async (topic: string) => {
    const texts: string[] = [];
    const onRecord = ({ value }: { readonly value: Buffer | null }) => void texts.push(String(value));
    await readTopic(settings, { topics: [topic], from: 'beginning', onRecord });
    return texts;
  };
  const metric = async (line: RegExp) =>
    Number(
      / ([\d.]+)$/.exec((await metrics.metrics()).split('\n').find((text) => line.test(text)) ?? '')?.[1],
    );
  const lagOf = (partition: number) =>
    metric(new RegExp(`^email_events_consumer_lag\\{.*partition="${partition}"`));
  return { loop, work, send, metric, lagOf, input, out: () => textsOf(out), letters: () => textsOf(letters) };
}

const texts = (name: string, count: number) => Array.from({ length: count }, (_, i) => `${name} ${i}`);

test('records that cannot be processed are set aside, each alone, and everything else comes out in order', async (scope) => {
  const { work, send, out, letters, lagOf } = await start(scope);
  work.faultOf = ({ value }) => (String(value).startsWith('poison') ? new RangeError('no') : undefined);
  const mixed = texts('good', 200).map((text, i) => (i % 50 === 7 ? `poison ${i}` : text));
  await send(0, mixed);
  await send(1, texts('other', 50));
  await waitFor('all is done', async () => (await out()).length + (await letters()).length >= 250, 60_000);
  await waitFor('nothing is left', async () => (await lagOf(0)) === 0 && (await lagOf(1)) === 0, 60_000);
  const came = await out();
  expect(came.filter((text) => text.startsWith('good'))).toEqual(
    mixed.filter((text) => text.startsWith('good')),
  );
  expect(came.filter((text) => text.startsWith('other'))).toEqual(texts('other', 50));
  expect(await letters()).toEqual(mixed.filter((text) => text.startsWith('poison')));
}, 120_000);

test('a partition that stands still says so and how far behind it is, and the other works', async (scope) => {
  const { loop, work, send, out, lagOf, input } = await start(scope);
  const outage = Object.assign(new Error('no'), { code: 'SERVICE_BUSY' });
  work.faultOf = ({ partition }) => (partition === 0 ? outage : undefined);
  await send(0, texts('waiting', 3));
  await waitFor('it is told', async () => loop.partitions().troubled.size > 0, 60_000);
  await send(0, texts('behind', 40));
  await send(1, texts('other', 5));
  await waitFor('the other is done', async () => (await out()).length === 5, 60_000);
  await waitFor('the lag is what is there', async () => (await lagOf(0)) === 43, 60_000);
  await waitFor('it is told of this one alone', async () => {
    const { kafka } = readinessOf(loop);
    const partitions = { [`${input}/0`]: 'SERVICE_BUSY' };
    return isDeepStrictEqual(await kafka(), { degraded: 'SERVICE_BUSY', partitions });
  });
  work.faultOf = () => undefined;
  await waitFor('all is done', async () => (await lagOf(0)) === 0, 60_000);
  expect((await out()).filter((text) => !text.startsWith('other'))).toEqual([
    ...texts('waiting', 3),
    ...texts('behind', 40),
  ]);
}, 180_000);

test('when records of several sources fail all partitions halt, nothing more is set aside, and all comes out in the end', async (scope) => {
  const { loop, work, send, out, letters, metric } = await start(scope);
  work.faultOf = () => new TypeError('ours');
  for (const source of ['a', 'b', 'c', 'd']) await send(0, texts(source, 2), source);
  await waitFor('it halts', async () => loop.problems().includes('PROCESSOR_HALTED'), 60_000);
  expect(await metric(/^email_events_halted\{/)).toBe(1);
  expect(await readinessOf(loop).records()).toMatchObject({ failed: 'PROCESSOR_HALTED' });
  const setAside = await letters();
  expect(setAside.length).toBeLessThanOrEqual(4);
  // Nothing is wrong with the other partition, and it waits too.
  await send(1, texts('other', 3), 'e');
  const failures = () => metric(/^email_events_transaction_failures_total\{.*PROCESSOR_HALTED/);
  const before = await failures();
  await waitFor('it is tried again', async () => (await failures()) > before + 1, 60_000);
  expect([await out(), await letters()]).toEqual([[], setAside]);
  work.faultOf = () => undefined;
  await waitFor('all came out', async () => (await out()).length === 11 - setAside.length, 90_000);
  expect(loop.problems()).toEqual([]);
  expect(await metric(/^email_events_halted\{/)).toBe(0);
}, 240_000);

test('a partition that ends before what was committed ends the loop: what comes next must not be taken for done', async (scope) => {
  const stack = useStack();
  const { kafka: settings } = commonConfig.parse({ kafka: stack.kafka });
  const [topic, name] = [stack.unique('truncated'), stack.unique('loop')];
  const groupId = `${settings.groupPrefix}.${name}`;
  await makeTopics(settings, [topic]);
  const producer = createKafka(settings, 'test', silentLog).producer();
  await producer.connect();
  scope.onTestFinished(() => producer.disconnect());
  await producer.send({ topic, messages: [{ value: 'new' }] });
  await commitOffsets(settings, groupId, topic, [{ partition: 0, offset: '5000' }]);

  // The second one is told the same: nothing was committed in between.
  for (let start = 0; start < 2; start++) {
    const processed: unknown[] = [];
    const loop = await startTransactionalLoop({
      kafka: settings,
      name,
      topic,
      concurrency: 1,
      createStage: () => ({
        open: async () => {},
        process: async (records) => {
          processed.push(...records);
          return { outputs: [] };
        },
        setAside: async () => ({ outputs: [] }),
        checkItself: async () => {},
        close: async () => {},
      }),
      log: silentLog,
      metrics: createMetrics('test'),
    });
    scope.onTestFinished(() => loop.stop());
    await expect(loop.done).rejects.toMatchObject({ code: 'KAFKA_LOG_TRUNCATED', disposition: 'fatal' });
    await loop.stop();
    expect(processed).toEqual([]);
  }
});
