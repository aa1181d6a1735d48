import { parseArgs } from 'node:util';
import { publishResult, writeResult } from '../src/result.ts';
import { againstKafkaStreams, FULL_WARM_UP } from './processors/against.ts';
import { measureAlone } from './processors/alone.ts';
import { onBenchStack } from './processors/bench-stack.ts';
import { buildKafkaStreams } from './processors/kafka-streams.ts';

const OPTIONS = {
  /** Events of a measurement: of each load, or of each round against a peer. */
  events: { type: 'string' },
  /** Events of a request. */
  batch: { type: 'string', default: '100' },
  /** Share of the requests that come again, and how many of these long after. */
  duplicates: { type: 'string', default: '0.05' },
  far: { type: 'string', default: '0.5' },
  /** Without a peer: batches, single, mix. */
  loads: { type: 'string', default: 'batches,single,mix' },
  against: { type: 'string' },
  'warm-up': { type: 'string', default: String(FULL_WARM_UP) },
  rounds: { type: 'string', default: '3' },
  stages: { type: 'string', default: 'both,dedupe' },
  /** Of the peer: how its store is asked, its threads, its commit interval. */
  store: { type: 'string', default: 'points' },
  threads: { type: 'string', default: '2' },
  'commit-ms': { type: 'string', default: '100' },
} as const;

/** `normalize` and `events`, alone under several loads, or in turn with another program that does the same. */
export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({ args, options: OPTIONS });
  const load = {
    batch: numberOf('batch', values.batch, 1),
    duplicates: numberOf('duplicates', values.duplicates, 0),
    far: numberOf('far', values.far, 0),
  };
  if (values.against === undefined) {
    const loads = namesOf('loads', values.loads, ['batches', 'single', 'mix']);
    const events = numberOf('events', values.events ?? '300000', 1);
    await onBenchStack(async (stack) =>
      publishResult('processors', await measureAlone(stack, { ...load, events, loads })),
    );
    return;
  }
  namesOf('against', values.against, ['kafka-streams']);
  const [store = 'points'] = namesOf('store', values.store, ['points', 'range']);
  const options = {
    ...{ load, store },
    events: numberOf('events', values.events ?? '1000000', 1),
    warmUp: numberOf('warm-up', values['warm-up'], 1),
    rounds: numberOf('rounds', values.rounds, 1),
    stages: namesOf('stages', values.stages, ['both', 'dedupe']),
    threads: numberOf('threads', values.threads, 1),
    commitMs: numberOf('commit-ms', values['commit-ms'], 1),
  };
  const jars = await buildKafkaStreams();
  await onBenchStack(async (stack) => {
    const report = await againstKafkaStreams(stack, options, jars);
    process.stdout.write(report.render());
    const { warmUp, rounds } = options;
    if (warmUp < FULL_WARM_UP)
      process.stdout.write(`Warmed up with ${warmUp} events only: a JVM is warm after ${FULL_WARM_UP}.\n`);
    if (rounds < 3) process.stdout.write(`Only ${rounds} rounds: 3 at least say something.\n`);
    const { load: _, stages, ...settings } = options;
    await writeResult('processors-against-kafka-streams', {
      ...load,
      ...settings,
      stages: stages.join(','),
      ...report.figures,
    });
  });
}

function numberOf(name: string, text: string, atLeast: number): number {
  const value = Number(text);
  if (!(value >= atLeast)) throw new Error(`--${name} is a number from ${atLeast} on`);
  return value;
}

function namesOf<const T extends string>(name: string, text: string, known: readonly T[]): T[] {
  return text.split(',').map((word) => {
    const found = known.find((one) => one === word);
    if (found === undefined) throw new Error(`--${name} is of ${known.join(', ')}`);
    return found;
  });
}
