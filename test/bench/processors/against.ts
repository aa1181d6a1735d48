import { join } from 'node:path';
import { withAdmin } from '@email-events/core';
import { EVENT_TYPES, eventTopics } from '@email-events/schemas';
import type { BenchStack } from './bench-stack.ts';
import { BatchInputs, schemaIdsOf } from './inputs.ts';
import { type PeerSettings, startKafkaStreams } from './kafka-streams.ts';
import { eventsOnly, type Ours, startOurs } from './ours.ts';
import { countOutputs, type Outputs } from './outputs.ts';
import { Report } from './report.ts';
import type { BatchLoad } from './requests.ts';
import { type Round, runRound, type Side } from './side.ts';

export interface AgainstOptions {
  readonly load: BatchLoad;
  /** Events of a round, and of each side's warm-up. */
  readonly events: number;
  readonly warmUp: number;
  readonly rounds: number;
  readonly stages: readonly ('both' | 'dedupe')[];
  readonly store: PeerSettings['store'];
  readonly threads: number;
  readonly commitMs: number;
}

export const FULL_WARM_UP = 3_000_000;

/**
 * The same input for both, in turn: the raw requests through both stages, then normalized events through `events` and through the peer's
 * dedupe stage alone. Both sides run all the time; whose input is not released is idle.
 */
export async function againstKafkaStreams(
  stack: BenchStack,
  options: AgainstOptions,
  jars: string,
): Promise<Report> {
  const report = new Report();
  const ours = await startOurs(stack.configFile);
  try {
    const inputs = new BatchInputs(stack.config, options.load);
    for (const stages of options.stages)
      await compare(stack, options, { jars, ours, inputs, stages }, report);
    report.memory('email-events', { normalize: ours.normalize.memory(), events: ours.events.memory() });
  } finally {
    await ours.stop();
  }
  return report;
}

interface Comparison {
  readonly jars: string;
  readonly ours: Ours;
  readonly inputs: BatchInputs;
  readonly stages: 'both' | 'dedupe';
}

async function compare(
  stack: BenchStack,
  options: AgainstOptions,
  { jars, ours, inputs, stages }: Comparison,
  report: Report,
): Promise<void> {
  const { config } = stack;
  const input = `bench.${stages}`;
  const outputPrefix = `bench.${stages}.events.`;
  await createTopics(stack, [input, ...EVENT_TYPES.map((type) => outputPrefix + type)]);
  const before = await countOutputs(config.kafka, eventTopics);
  const peer = await startKafkaStreams(jars, {
    dir: join(stack.dir, `peer-${stages}`),
    brokers: config.kafka.brokers,
    applicationId: `bench-${stages}`,
    ...{ stages, input, outputPrefix, store: options.store, threads: options.threads },
    partitions: config.topics.partitions,
    windowMs: config.topics.retention.seenDays * 86_400_000,
    commitMs: options.commitMs,
    schemaIds: await schemaIdsOf(config),
  });
  try {
    const sides: readonly [Side, Side] = [stages === 'both' ? ours : eventsOnly(ours), peer];
    inputs.beginAnew();
    const distinct = inputs.distinct;
    const round = async (events: number, order: readonly (0 | 1)[]) => {
      const release = await inputs.hold(stages, input, events);
      const rounds: Round[] = [];
      for (const i of order) rounds[i] = await runRound(sides[i], events, release[i]);
      return rounds;
    };
    report.warmUp(stages, await round(options.warmUp, [0, 1]));
    for (let i = 0; i < options.rounds; i++)
      report.round(stages, await round(options.events, i % 2 === 0 ? [1, 0] : [0, 1]));
    const counts = {
      expected: inputs.distinct - distinct,
      ours: less(await countOutputs(config.kafka, eventTopics), before),
      peer: await countOutputs(
        config.kafka,
        EVENT_TYPES.map((type) => outputPrefix + type),
      ),
    };
    report.outputs(stages, counts);
    report.memory(`kafka-streams, ${stages}`, { jvm: peer.memory() });
  } finally {
    await peer.stop();
  }
}

async function createTopics({ config }: BenchStack, names: readonly string[]): Promise<void> {
  const { partitions, rawPartitions } = config.topics;
  await withAdmin(config.kafka, async (admin) => {
    await admin.createTopics({
      topics: names.map((topic) => ({
        topic,
        numPartitions: topic === 'bench.both' ? rawPartitions : partitions,
        replicationFactor: 1,
        configEntries: [{ name: 'max.message.bytes', value: '2097152' }],
      })),
    });
  });
}

const WRAP = 2 ** 52;
const less = (all: Outputs, before: Outputs): Outputs => ({
  records: all.records - before.records,
  bytes: all.bytes - before.bytes,
  ids: (all.ids - before.ids + WRAP) % WRAP,
  values: (all.values - before.values + WRAP) % WRAP,
});
