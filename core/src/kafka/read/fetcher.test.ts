import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { waitFor } from '../../../../test/harness/wait.ts';
import { listOffsets } from '../client/requests.ts';
import { apiOf, createErrorFromCode, KafkaJSConnectionError } from '../kafkajs/kafkajs.ts';
import { FakeBrokers, recordBatch } from '../testing/fake-brokers.ts';
import type { FetchedPartition } from './fetch-request.ts';
import { type FetchedBatch, Fetcher, type FetcherOptions } from './fetcher.ts';

interface Query {
  readonly topics: readonly {
    topic: string;
    partitions: readonly { partition: number; fetchOffset: string }[];
  }[];
}
interface Wanted {
  readonly node: number;
  readonly partition: number;
  readonly offset: number;
}
type Answer = Partial<FetchedPartition> | undefined;

const NOT_LEADER = 6;
const OUT_OF_RANGE = 1;
const AUTHORIZATION = 29;
const at = (partition: number) => ({ topic: 't', partition });

let brokers: FakeBrokers;
let wanted: Wanted[];
/** A broker's records of each partition, from an offset on; undefined: it is not mentioned. */
let answer: (of: Wanted) => Answer | Promise<Answer>;
let batches: FetchedBatch[];
beforeEach(() => {
  brokers = new FakeBrokers({ t: [1, 2, 1] });
  [wanted, batches] = [[], []];
  answer = () => ({});
  brokers.on(apiOf<Query, FetchedPartition[]>('Fetch'), async ({ topics }, node) => {
    const asked = topics.flatMap(({ partitions }) => partitions);
    const found = await Promise.all(
      asked.map(async ({ partition, fetchOffset }) => {
        const of = { node, partition, offset: Number(fetchOffset) };
        wanted.push(of);
        const said = await answer(of);
        const end = Math.max(of.offset, log(partition).length);
        const nothing = { errorCode: 0, end, stableEnd: end, aborted: [], bytes: Buffer.alloc(0) };
        return said && { topic: 't', partition, ...nothing, ...said };
      }),
    );
    // As a broker that waits for more.
    await new Promise((resolve) => setTimeout(resolve, 2));
    return found.filter((of) => of !== undefined);
  });
});

/** One batch of one record for each of these values, the first at offset 0. */
const logs = new Map<number, string[]>();
const log = (partition: number) => logs.get(partition) ?? [];
beforeEach(() => logs.clear());
const from = ({ partition, offset }: Wanted): Answer => ({
  bytes: Buffer.concat(
    log(partition)
      .map((value, first) => recordBatch({ first, values: [value] }))
      .slice(offset),
  ),
});

function start(options: Partial<FetcherOptions> = {}) {
  const stop = new AbortController();
  const fetcher = new Fetcher({
    brokers,
    ...{ requestTimeoutMs: 1_000, concurrency: 4, minBytes: 1, maxWaitMs: 20, maxBytesPerPartition: 1_000 },
    onBatch: async (batch) => void batches.push(batch),
    ...options,
  });
  const done = fetcher.run(stop.signal);
  done.catch(() => {});
  onTestFinished(async () => {
    stop.abort();
    await done.catch(() => {});
  });
  return { fetcher, done };
}
const values = (partition: number) =>
  batches
    .filter((of) => of.partition === partition)
    .flatMap(({ records }) => records.map(({ value }) => `${value}`));

test('each partition is read from its leader, from where it is told to begin', async () => {
  logs.set(0, ['a0', 'a1', 'a2']).set(1, ['b0', 'b1']);
  answer = from;
  const { fetcher } = start();
  fetcher.begin(at(0), 1);
  fetcher.begin(at(1), 0);
  await waitFor('both', () => values(0).length === 2 && values(1).length === 2);
  expect(values(0)).toEqual(['a1', 'a2']);
  expect(wanted.every(({ node, partition }) => node === [1, 2][partition])).toBe(true);
  expect(batches.find(({ partition }) => partition === 0)).toMatchObject({ from: 1, next: 3, end: 3 });
  log(1).push('b2');
  await waitFor('what came later', () => values(1).length === 3);
  expect(values(1)).toEqual(['b0', 'b1', 'b2']);
});

test('bytes that were damaged on their way are fetched again, and none of them is handed out', async () => {
  logs.set(0, ['a0', 'a1']);
  let isDamaged = true;
  answer = (of) => {
    const found = from(of);
    if (isDamaged) found?.bytes?.writeUInt8((found.bytes.at(-2) ?? 0) ^ 1, found.bytes.length - 2);
    return found;
  };
  const { fetcher } = start();
  fetcher.begin(at(0), 1);
  await waitFor('it is told', () => fetcher.states()[0]?.problem === 'KAFKA_RECORDS_DAMAGED');
  expect(batches).toEqual([]);
  expect(fetcher.states()[0]?.position).toBe(1);
  isDamaged = false;
  await waitFor('the record', () => values(0).length === 1);
  expect(values(0)).toEqual(['a1']);
  expect(fetcher.states()[0]?.problem).toBeUndefined();
});

test('a partition is whole as of when its end was asked for, once everything that is decided has been handed over', async () => {
  logs.set(0, ['a0', 'a1', 'a2']);
  const handed = Promise.withResolvers<void>();
  let stableEnd = 2;
  answer = (of) => ({ ...from(of), end: 3, stableEnd });
  const { fetcher } = start({
    onBatch: async () => handed.promise,
  });
  const wholeAt = () => fetcher.states()[0]?.wholeAt;
  fetcher.begin(at(0), 0);
  await waitFor('the records', () => wanted.length > 0);
  expect(wholeAt()).toBeUndefined();
  const before = performance.now();
  handed.resolve();
  await waitFor('it is whole', () => wholeAt() !== undefined);
  await waitFor('it was asked again', () => (wholeAt() ?? 0) > before);
  // A transaction that has not ended does not count, but what was decided behind the position does.
  stableEnd = 9;
  const asked = wanted.length;
  await waitFor('two more answers', () => wanted.length > asked + 2);
  const last = wholeAt();
  const more = wanted.length;
  await waitFor('two more', () => wanted.length > more + 2);
  expect(wholeAt()).toBe(last);
});

test('a leader that moves is followed; nothing is read twice or left out', async () => {
  logs.set(0, ['a0']);
  answer = (of) => (of.node === brokers.topics.t![0] ? from(of) : { errorCode: NOT_LEADER });
  const { fetcher } = start();
  fetcher.begin(at(0), 0);
  await waitFor('the first', () => values(0).length === 1);
  brokers.topics.t = [3, 2, 1];
  log(0).push('a1');
  await waitFor('the second', () => values(0).length === 2);
  expect(values(0)).toEqual(['a0', 'a1']);
  expect(fetcher.states()).toMatchObject([{ position: 2, problem: undefined }]);
});

test('a broker that is away is a problem of its partitions alone, and is asked again', async () => {
  logs.set(0, ['a']).set(1, ['b']);
  let away = true;
  answer = (of) => {
    if (of.node === 2 && away) throw Object.assign(new KafkaJSConnectionError('away'), { retriable: true });
    return from(of);
  };
  const { fetcher } = start();
  fetcher.begin(at(0), 0);
  fetcher.begin(at(1), 0);
  await waitFor('the other one', () => values(0).length === 1);
  const problem = () => fetcher.states().find(({ partition }) => partition === 1)?.problem;
  await waitFor('a reason', () => problem() !== undefined);
  away = false;
  await waitFor('both', () => values(1).length === 1);
  expect(problem()).toBeUndefined();
});

test('an answer that comes after the partition was begun anew is dropped', async () => {
  logs.set(0, ['a0', 'a1']);
  const late = Promise.withResolvers<void>();
  answer = async (of) => {
    if (wanted.length === 1) await late.promise;
    return from(of);
  };
  const { fetcher } = start();
  fetcher.begin(at(0), 0);
  await waitFor('the first request', () => wanted.length === 1);
  fetcher.begin(at(0), 1);
  late.resolve();
  await waitFor('the record', () => values(0).length === 1);
  expect(values(0)).toEqual(['a1']);
  expect(batches[0]).toMatchObject({ from: 1, next: 2 });
});

test('an answer of the leader before that comes after that of the next one is dropped', async () => {
  logs.set(0, ['a0', 'a1']);
  const late = Promise.withResolvers<void>();
  answer = async (of) => {
    if (of.node === 1) await late.promise;
    return from(of);
  };
  const { fetcher } = start();
  fetcher.begin(at(0), 0);
  await waitFor('the first request', () => wanted.length === 1);
  brokers.topics.t = [2, 2, 1];
  await brokers.refresh(['t']);
  await waitFor('the next leader has been read', () => values(0).length === 2);
  late.resolve();
  fetcher.begin(at(2), 0);
  await waitFor('the leader before is asked again', () => wanted.some(({ partition }) => partition === 2));
  expect(values(0)).toEqual(['a0', 'a1']);
});

test('one batch of a partition at a time; the position moves when it was handled', async () => {
  logs.set(0, ['a0']);
  answer = from;
  const gate = Promise.withResolvers<void>();
  let running = 0;
  let most = 0;
  const { fetcher } = start({
    onBatch: async (batch) => {
      most = Math.max(most, ++running);
      batches.push(batch);
      await gate.promise;
      running -= 1;
    },
  });
  fetcher.begin(at(0), 0);
  await waitFor('the first', () => batches.length === 1);
  log(0).push('a1');
  fetcher.begin(at(1), 0);
  await waitFor(
    'others are read meanwhile',
    () => wanted.filter(({ partition }) => partition === 1).length > 2,
  );
  expect(fetcher.states()).toMatchObject([{ position: 0, waiting: true }, {}]);
  gate.resolve();
  await waitFor('the second', () => batches.length === 2);
  expect(most).toBe(1);
  expect(values(0)).toEqual(['a0', 'a1']);
});

test('after an answer of few bytes its broker rests, and no other', async () => {
  logs.set(0, ['a0']).set(1, ['b0']);
  answer = from;
  const { fetcher } = start({ rest: { ms: 3_600_000, unlessBytes: 500 } });
  fetcher.begin(at(0), 0);
  await waitFor('what comes after a silence', () => values(0).length === 1);
  const askedOf = (node: number) => wanted.filter((of) => of.node === node).length;
  // Nothing comes of this one: it is asked again and again.
  fetcher.begin(at(1), 1);
  log(0).push('a1');
  await waitFor('others are read meanwhile', () => askedOf(2) > 5);
  expect(askedOf(1)).toBe(1);
  expect(values(0)).toEqual(['a0']);
});

test('after an answer of many bytes its broker does not rest', async () => {
  logs.set(0, ['a'.repeat(500)]);
  answer = from;
  const { fetcher } = start({ rest: { ms: 3_600_000, unlessBytes: 500 } });
  fetcher.begin(at(0), 0);
  await waitFor('the first', () => values(0).length === 1);
  log(0).push('b');
  await waitFor('the second', () => values(0).length === 2);
});

test('a paused partition is not asked for, and what is under way of it is not handed over', async () => {
  logs.set(0, ['a0']);
  const late = Promise.withResolvers<void>();
  answer = async (of) => {
    if (of.partition === 0) await late.promise;
    return from(of);
  };
  const { fetcher } = start();
  fetcher.begin(at(0), 0);
  await waitFor('the first request', () => wanted.length === 1);
  fetcher.pause([at(0)]);
  late.resolve();
  fetcher.begin(at(1), 0);
  await waitFor('others are read', () => wanted.filter(({ partition }) => partition === 1).length > 2);
  expect(batches).toEqual([]);
  expect(wanted.filter(({ partition }) => partition === 0)).toHaveLength(1);
  fetcher.resume([at(0)]);
  await waitFor('it is handed over', () => values(0).length === 1);
});

test('what is only markers is handed over as well, and a partition that an answer leaves out is asked for again', async () => {
  answer = (of) => {
    if (of.partition === 1 && wanted.filter(({ partition }) => partition === 1).length < 3) return undefined;
    if (of.offset > 0) return {};
    return { bytes: recordBatch({ first: 0, producerId: 1, marker: 'commit' }), end: 1, stableEnd: 1 };
  };
  const { fetcher } = start();
  fetcher.begin(at(0), 0);
  fetcher.begin(at(1), 0);
  await waitFor('both', () => batches.length === 2);
  expect(batches).toMatchObject([
    { partition: 0, records: [], from: 0, next: 1 },
    { partition: 1, records: [], from: 0, next: 1 },
  ]);
});

test('where retention was faster it goes on with what there is, and says so', async () => {
  logs.set(0, ['a0', 'a1', 'a2', 'a3']);
  answer = (of) => (of.offset < 2 ? { errorCode: OUT_OF_RANGE } : from(of));
  brokers.on(listOffsets, ({ topics }) => ({
    responses: topics.map(({ topic, partitions }) => ({
      topic,
      partitions: partitions.map(({ partition, timestamp }) => {
        return { partition, errorCode: 0, offset: timestamp === -1 ? '4' : '2' };
      }),
    })),
  }));
  const gaps: unknown[] = [];
  const { fetcher } = start({
    onGap: ({ partition }, expected, low) => gaps.push([partition, expected, low]),
  });
  fetcher.begin(at(0), 0);
  await waitFor('the rest', () => values(0).length === 2);
  expect(values(0)).toEqual(['a2', 'a3']);
  expect(gaps).toEqual([[0, 0, 2]]);
});

test('a broker that does not know yet what others have acknowledged is waited for: nothing is skipped', async () => {
  logs.set(0, ['a0', 'a1']);
  let behind = true;
  answer = (of) => (behind ? { errorCode: OUT_OF_RANGE } : from(of));
  brokers.on(listOffsets, ({ topics }) => {
    const high = behind ? '0' : '2';
    // By the second question it knows.
    behind = brokers.askedFor('ListOffsets').length < 3;
    return {
      responses: topics.map(({ topic, partitions }) => ({
        topic,
        partitions: partitions.map(({ partition, timestamp }) => {
          return { partition, errorCode: 0, offset: timestamp === -1 ? high : '0' };
        }),
      })),
    };
  });
  const gaps: unknown[] = [];
  const { fetcher } = start({ onGap: (...of) => gaps.push(of) });
  fetcher.begin(at(0), 1);
  await waitFor('the record', () => values(0).length === 1);
  expect(values(0)).toEqual(['a1']);
  expect(gaps).toEqual([]);
});

test('what no waiting changes ends it', async () => {
  answer = () => ({ errorCode: AUTHORIZATION });
  const { fetcher, done } = start();
  fetcher.begin(at(0), 0);
  await expect(done).rejects.toMatchObject({ type: createErrorFromCode(AUTHORIZATION).type });
});

test('what a reader throws ends it, and nothing of the batch is passed', async () => {
  logs.set(0, ['a0']);
  answer = from;
  const { fetcher, done } = start({ onBatch: () => Promise.reject(new Error('mine')) });
  fetcher.begin(at(0), 0);
  const [{ position } = { position: -1 }] = fetcher.states();
  await expect(done).rejects.toThrow('mine');
  expect(position).toBe(0);
});

test('records that cannot be decoded end it', async () => {
  const bytes = recordBatch({ first: 0, values: ['a'] });
  bytes.writeInt8(1, 16);
  answer = () => ({ bytes });
  const { fetcher, done } = start();
  fetcher.begin(at(0), 0);
  await expect(done).rejects.toThrow('format 1');
});
