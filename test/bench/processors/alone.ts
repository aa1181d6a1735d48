import { normalizeRecord } from '@email-events/processors';
import { topics } from '@email-events/schemas';
import type { BenchStack } from './bench-stack.ts';
import { HeldInput } from './held-input.ts';
import { type Ours, startOurs, sum } from './ours.ts';
import { type BatchLoad, BatchRequests, mixedRequests, type RawMessage } from './requests.ts';
import { runRound } from './side.ts';

export interface AloneOptions extends BatchLoad {
  readonly events: number;
  readonly loads: readonly ('batches' | 'single' | 'mix')[];
}

/** One load after the other through the same two services. Figures by load. */
export async function measureAlone(
  stack: BenchStack,
  options: AloneOptions,
): Promise<{ readonly [figure: string]: number }> {
  const ours = await startOurs(stack.configFile);
  const known = new Set<string>();
  const figures: { [figure: string]: number } = {};
  try {
    for (const load of options.loads) {
      const found = await measureLoad(stack, { ours, known }, await requestsOf(load, options));
      for (const [figure, value] of Object.entries(found)) figures[`${load}_${figure}`] = value;
    }
    for (const service of ['normalize', 'events'] as const) {
      const { peakMb, anonymousMb } = ours[service].memory();
      figures[`${service}_peak_rss_mb`] = peakMb;
      figures[`${service}_anonymous_mb`] = anonymousMb;
    }
  } finally {
    await ours.stop();
  }
  return figures;
}

interface Requests {
  readonly messages: AsyncIterable<RawMessage> | Iterable<RawMessage>;
}

/** Behind all events of the batches. */
const SINGLE_FROM = 1_000_000_000;

async function requestsOf(load: AloneOptions['loads'][number], options: AloneOptions): Promise<Requests> {
  const { events } = options;
  switch (load) {
    case 'batches':
      return { messages: new BatchRequests(options).take(events) };
    case 'single':
      return { messages: new BatchRequests({ ...options, batch: 1 }, SINGLE_FROM).take(events) };
    case 'mix':
      return { messages: mixedRequests(events, options) };
  }
}

interface Working {
  readonly ours: Ours;
  /** Ids of all events so far. */
  readonly known: Set<string>;
}

/** Throws when not each repeated event, and no other, was taken for a duplicate. */
async function measureLoad({ config }: BenchStack, { ours, known }: Working, { messages }: Requests) {
  const input = await HeldInput.begin(config.kafka, topics.raw);
  let requests = 0;
  let events = 0;
  let bytes = 0;
  const knownBefore = known.size;
  for await (const message of messages) {
    const ids = await idsIn(message);
    events += ids.length;
    for (const id of ids) known.add(id);
    bytes += message.value.length;
    await input.add({ ...message, partition: requests++ % config.topics.rawPartitions });
  }
  await input.flush();
  const cpu = () => [ours.normalize.cpuSeconds(), ours.events.cpuSeconds()] as const;
  const before = cpu();
  const round = await runRound(ours, events, () => input.release());
  const repeated = events - (known.size - knownBefore);
  if (round.duplicates !== repeated)
    throw new Error(`${repeated} events were sent again, ${round.duplicates} were taken for duplicates`);
  const [normalize, dedupe] = cpu().map((seconds, i) =>
    round2(((seconds - (before[i] ?? 0)) * 1e6) / events),
  );
  const suppressed = sum(await ours.events.metrics(), /^email_events_state_entries\{.*kind="recipient"/);
  return {
    ...{ requests, events, duplicates: round.duplicates, bytes_per_event: Math.round(bytes / events) },
    seconds: round2(round.seconds),
    events_per_second: Math.round(events / round.seconds),
    steady_events_per_second: Math.round(round.steady.events / round.steady.seconds),
    normalize_cpu_us_per_event: normalize ?? Number.NaN,
    events_cpu_us_per_event: dedupe ?? Number.NaN,
    whole_cpu_us_per_event: round2((round.cpuSeconds * 1e6) / events),
    steady_cpu_us_per_event: round2((round.steady.cpuSeconds * 1e6) / round.steady.events),
    transactions: round.transactions,
    recipients_with_a_state: suppressed,
  };
}

/** Of the events that `normalize` will read in it. */
async function idsIn({ value, headers }: RawMessage): Promise<string[]> {
  const record = { topic: topics.raw, partition: 0, offset: 0, key: null, value, headers, timestamp: 0 };
  const { events } = await normalizeRecord(record);
  return events.map(({ event_id }) => event_id);
}

const round2 = (value: number) => Math.round(value * 100) / 100;
