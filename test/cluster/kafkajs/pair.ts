import {
  createBrokers,
  createMetrics,
  groupLag,
  Registry,
  type RunningSink,
  runSink,
  type SinkBatch,
  silentLog,
  startTransactionalLoop,
  type TransactionalLoop,
} from '@email-events/core';
import { publishAll } from '@email-events/core/testing';
import type { Codec } from '@email-events/schemas';
import { expect } from 'vitest';
import { unique } from '../../harness/isolation.ts';
import type { TestScope } from '../../harness/stack.ts';
import { waitFor } from '../../harness/wait.ts';
import { END, newTopic, readAll, type World } from './world.ts';

const PARTITIONS = [
  [1, 2, 3],
  [2, 3, 1],
  [3, 1, 2],
];
/** No member stands still for longer than the session and a few seconds, and a machine that is busy with other things. */
export const DEADLINE_MS = 45_000;

/** A frozen broker is waited for so long. */
const REQUEST_TIMEOUT_MS = 4_000;

/** A loop that copies a topic, and a sink that is written with it. Both read it as a group each, through the proxies. */
export class Pair {
  readonly input: string;
  readonly output: string;
  readonly loop: TransactionalLoop;
  readonly sink: RunningSink;
  /** Values that the sink was given, by batch; a repetition of a batch has the same id. */
  readonly batches = new Map<string, readonly string[]>();
  /** A write of the sink waits for this. */
  before: () => Promise<void> = async () => {};
  /** Why one of them ended. */
  readonly ended: unknown[] = [];
  private readonly world: World;
  private fed = 0;

  private constructor(
    world: World,
    topics: { input: string; output: string },
    loop: TransactionalLoop,
    sink: RunningSink,
  ) {
    this.world = world;
    this.input = topics.input;
    this.output = topics.output;
    this.loop = loop;
    this.sink = sink;
    for (const { done } of [loop, sink]) done.catch((error) => this.ended.push(error));
  }

  static async start(world: World, scope: TestScope): Promise<Pair> {
    const times = { sessionTimeoutMs: 6_000, requestTimeoutMs: REQUEST_TIMEOUT_MS };
    const settings = { ...world.settings, ...times, groupPrefix: unique('pair') };
    const [input, output] = [
      await newTopic(world, 'in', PARTITIONS),
      await newTopic(world, 'out', PARTITIONS),
    ];
    let pair: Pair | undefined;
    const loop = await startTransactionalLoop({
      ...{ kafka: settings, name: 'loop', topic: input, concurrency: 3, log: silentLog },
      metrics: createMetrics('loop'),
      createStage: () => ({
        open: async () => {},
        setAside: async () => ({ outputs: [] }),
        checkItself: async () => {},
        close: async () => {},
        process: async (records) => ({
          outputs: records.map(({ partition, key, value }) => ({ topic: output, partition, key, value })),
        }),
      }),
    });
    scope.onTestFinished(() => loop.stop());
    const sink = await runSink<string>({
      ...{ kafka: settings, name: 'sink', topics: [input], concurrency: 3, log: silentLog },
      ...{ batchRows: 20, batchBytes: 1_000_000, flushMs: 20, stopMs: 1_000 },
      ...{ deadLetterPartitions: 1, codec: {} as Codec, laneOf: (_topic, partition) => String(partition) },
      reader: { load: async () => {}, read: (_topic, value) => String(value) },
      sink: {
        name: 'test',
        check: async () => {},
        close: async () => {},
        write: async ({ id, records }: SinkBatch<string>) => {
          await pair?.before();
          pair?.batches.set(
            id,
            records.map(({ value }) => String(value)),
          );
          return records.map(() => ({ outcome: 'delivered' }) as const);
        },
      },
      metrics: new Registry(),
    });
    scope.onTestFinished(() => sink.stop());
    pair = new Pair(world, { input, output }, loop, sink);
    return pair;
  }

  /** So many more records, in all partitions. Resolves when they are acknowledged. */
  async feed(count: number): Promise<void> {
    const { direct } = this.world;
    const brokers = createBrokers(direct, 'feed', silentLog);
    const messages = Array.from({ length: count }, () => {
      const value = Buffer.from(String(this.fed));
      return { key: null, value, partition: this.fed++ % PARTITIONS.length };
    });
    try {
      await publishAll(brokers, this.input, messages, REQUEST_TIMEOUT_MS);
    } finally {
      brokers.close();
    }
  }

  /** Resolves when both have everything. */
  async awaitAll(): Promise<void> {
    const expected = Array.from({ length: this.fed }, (_, i) => String(i));
    await waitFor(
      'the sink has everything',
      () => {
        this.requireRunning();
        const had = new Set([...this.batches.values()].flat());
        return expected.every((value) => had.has(value));
      },
      DEADLINE_MS,
    );
    await waitFor('the loop has everything', () => this.loopIsDone(), DEADLINE_MS);
  }

  /** Nothing was lost, doubled or disordered on the way. */
  async requireExact(): Promise<void> {
    await this.feed(3);
    await this.awaitAll();
    const input = await readAll(this.world, this.input, PARTITIONS.length);
    await waitFor('the loop has read on', () => this.loopIsDone(), DEADLINE_MS);
    const output = await readAll(this.world, this.output, PARTITIONS.length);
    expect(output).toEqual(input);
    // readAll marks the end of a topic with a record, which the sink gets too.
    const written = [...this.batches.values()].flat().filter((value) => !value.startsWith(END));
    expect(written.sort()).toEqual(input.flat().sort());
    expect(this.ended).toEqual([]);
  }

  /** Neither is well: what readiness says. */
  problems(): { readonly loop: readonly string[]; readonly sink: string | undefined } {
    return { loop: this.loop.problems(), sink: this.sink.readiness.kafka() };
  }

  isWell(): boolean {
    const { loop, sink } = this.problems();
    return loop.length === 0 && sink === undefined;
  }

  private requireRunning(): void {
    if (this.ended.length > 0) throw this.ended[0];
  }

  private async loopIsDone(): Promise<boolean> {
    this.requireRunning();
    const lags = await groupLag(this.world.direct, [{ group: this.loop.groupId, topics: [this.input] }]);
    return lags.every(({ lag }) => lag === 0);
  }
}
