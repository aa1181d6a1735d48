import { afterAll, beforeAll, expect, test } from 'vitest';
import { useStack, waitFor } from '../../../../test/stack/stack.ts';
import { makeTopics } from '../../../../test/stack/topics.ts';
import {
  commonConfig,
  createKafka,
  readTopic,
  silentLog,
  type TopicPosition,
  withAdmin,
} from '../../index.ts';

// Several transactions that overlap on one partition, some of them aborted, in another order than they began: what the
// broker's list of aborted transactions looks like when processes were killed or a broker came back.
const WRITERS = 6;
const HALVES = ['first', 'second'];
const stack = useStack();
const topic = stack.unique('aborted');
const { kafka: settings } = commonConfig.parse({ kafka: stack.kafka });
const client = createKafka(settings, 'test', silentLog);
const producers = Array.from({ length: WRITERS }, (_, i) =>
  client.producer({
    transactionalId: stack.unique(`writer-${i}`),
    idempotent: true,
    maxInFlightRequests: 1,
    createPartitioner: () => () => 0,
  }),
);

beforeAll(async () => {
  await makeTopics(settings, [topic]);
  await Promise.all(producers.map((producer) => producer.connect()));
});
afterAll(() => Promise.all(producers.map((producer) => producer.disconnect())));

/** All writers begin in order, each writes twice; they end in the opposite order, the even ones by an abort. */
async function round(name: string): Promise<string[]> {
  const transactions = await Promise.all(producers.map((producer) => producer.transaction()));
  for (const half of HALVES) {
    for (const [i, transaction] of transactions.entries()) {
      await transaction.send({ topic, messages: [{ value: `${name} ${i} ${half}` }] });
    }
  }
  for (const [i, transaction] of [...transactions.entries()].reverse()) {
    await (i % 2 === 0 ? transaction.abort() : transaction.commit());
  }
  const committed = [...transactions.keys()].filter((i) => i % 2 === 1);
  return HALVES.flatMap((half) => committed.map((i) => `${name} ${i} ${half}`));
}

const read = async (from: 'beginning' | { readonly positions: readonly TopicPosition[] }) => {
  const values: string[] = [];
  await readTopic(settings, {
    topics: [topic],
    from,
    onRecord: ({ offset, value }) => void values.push(`${offset} ${value}`),
  });
  return values;
};

test('what was aborted is never read, wherever reading begins', async () => {
  const expected = [...(await round('a')), ...(await round('b')), ...(await round('c'))];
  // A broker answers before it has written the markers, and until then the records are behind the end of what is committed.
  const written = String(3 * WRITERS * (HALVES.length + 1));
  await waitFor('every transaction has its marker', () =>
    withAdmin(settings, async (admin) => (await admin.fetchTopicOffsets(topic))[0]?.high === written),
  );
  const all = await read('beginning');
  expect(all.map((line) => line.replace(/^\d+ /, ''))).toEqual(expected);
  const end = Number(all.at(-1)?.split(' ')[0]);
  for (let offset = 0; offset <= end; offset++) {
    const values = await read({ positions: [{ topic, partition: 0, offset: BigInt(offset) }] });
    expect(values).toEqual(all.filter((line) => Number(line.split(' ')[0]) >= offset));
  }
});
