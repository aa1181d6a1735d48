import PQueue from 'p-queue';
import { Registry } from '../../telemetry.ts';
import { silentLog } from '../client/client.ts';
import { BatchSize, type CommittedOffset } from '../sink/batch.ts';
import { BatchLane } from '../sink/batch-lane.ts';
import type { Refusal } from '../sink/dead-letters.ts';
import { Entry } from '../sink/entry.ts';
import { sinkMeasures } from '../sink/health.ts';
import { LaneBuffer } from '../sink/lane-buffer.ts';
import { LanePace } from '../sink/pace.ts';
import { SinkFaults } from '../sink/poison-records.ts';
import { DELIVERED, type Sink, type SinkBatch, type SinkPiece, type SinkVerdict } from '../sink/sink.ts';

/** For tests of this folder: a lane over one partition of texts, without Kafka. */
export const TOPIC = 'in';
const reader = { load: async () => {}, read: (_topic: string, value: Buffer) => value.toString() };

export interface LaneWorld {
  readonly lane: BatchLane<string>;
  /** All commits, in order: offset and metadata. */
  readonly commits: { offset: number; metadata: string | null }[];
  readonly letters: Refusal[];
  /** Codes that the lane reported, undefined for "works". */
  readonly reports: (string | undefined)[];
  add(...texts: string[]): void;
  /** The lane goes to another instance. */
  lose(): void;
  /** Runs until all that was added is committed, or rejects as the lane does. */
  drain(): Promise<void>;
}

export function laneOf(
  sink: Partial<Sink<string>>,
  { batchRows = 10, committed = null as string | null, everyMs = 0 } = {},
): LaneWorld {
  const [lost, halted, abort] = [new AbortController(), new AbortController(), new AbortController()];
  const commits: LaneWorld['commits'] = [];
  const letters: Refusal[] = [];
  const reports: LaneWorld['reports'] = [];
  const whole: Sink<string> = {
    name: 'fake',
    check: async () => {},
    write: async () => [],
    close: async () => {},
    ...sink,
  };
  const limits = { batchRows, batchBytes: 1_000_000, flushMs: 0 };
  const size = new BatchSize(limits);
  const start: CommittedOffset = { topic: TOPIC, partition: 0, offset: 0, metadata: committed };
  const buffer = new LaneBuffer<string>(
    'group',
    'lane',
    size,
    [start],
    () => `n${commits.length}`,
    whole.cut,
  );
  let end = 0;
  const drained = Promise.withResolvers<void>();
  const lane = new BatchLane<string>(
    'lane',
    { buffer, size, limits, pace: new LanePace(everyMs) },
    {
      ...{
        sink: whole,
        writes: new PQueue({ concurrency: 1 }),
        measures: sinkMeasures(new Registry()),
        log: silentLog,
      },
      ...{ lost: lost.signal, halted: halted.signal, abort: abort.signal, now: Date.now },
      backoff: () => 1,
      faults: new SinkFaults('fake', Date.now),
      deadLetters: { publish: async (refusals) => void letters.push(...refusals) },
      commit: async (offsets) => {
        for (const { offset, metadata } of offsets) commits.push({ offset, metadata });
        const last = commits.at(-1);
        if (last?.offset === end && last.metadata === null) drained.resolve();
      },
      lowOffsets: async (ranges) => [...ranges],
      report: (_lane, code) => reports.push(code),
      drained: () => {},
    },
  );
  return {
    ...{ lane, commits, letters, reports },
    add(...texts) {
      const entries = texts.map((text, n) => {
        const at = { topic: TOPIC, partition: 0, offset: end + n };
        const record = { ...at, key: null, value: Buffer.from(text), headers: {}, timestamp: 0 };
        return new Entry(record, reader);
      });
      end += texts.length;
      buffer.add(TOPIC, 0, entries, end, 0);
      lane.wake();
    },
    lose: () => lost.abort(),
    async drain() {
      const running = lane.run();
      await Promise.race([drained.promise, running]);
      halted.abort();
      lane.wake();
      await running;
    },
  };
}

/** A sink with pieces by the first letter of a text. `insert` is called for each piece, with its token. */
export function lettersSink(
  insert: (token: string, texts: readonly string[]) => SinkVerdict | Promise<SinkVerdict>,
  encode: (text: string) => string = (text) => text,
): Partial<Sink<string>> {
  return {
    cut: 'letter-1',
    prepare: async (records, cut) => {
      const pieces = new Map<string, { texts: string[]; indexes: number[] }>();
      for (const [index, { value }] of records.entries()) {
        const text = encode(value ?? '');
        const key = cut === undefined ? 'all' : (text[0] ?? '');
        const piece = pieces.get(key) ?? { texts: [], indexes: [] };
        pieces.set(key, piece);
        piece.texts.push(text);
        piece.indexes.push(index);
      }
      return [...pieces].map(
        ([key, { texts, indexes }]): SinkPiece => ({
          key,
          indexes,
          write: async (id) => {
            const verdict = await insert(id, texts);
            return texts.map(() => verdict);
          },
        }),
      );
    },
  };
}

/** Verdicts of a sink that says one for each value. */
export const each =
  (verdictOf: (text: string) => SinkVerdict = () => DELIVERED) =>
  async ({ records }: SinkBatch<string>): Promise<SinkVerdict[]> =>
    records.map(({ value }) => verdictOf(value ?? ''));
