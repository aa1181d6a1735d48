import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { scrape } from '@email-events/cli/admin-port';
import { type RunningPipeline, startPipeline } from '@email-events/dev/run/pipeline';
import { createReporter } from '@email-events/dev/run/reporter';
import { SERVICE_NAMES } from '@email-events/dev/run/services';
import { createPlan, type SimulationResult, sendRequests, signedRequests } from '@email-events/dev/simulate';
import { Codec } from '@email-events/schemas';
import { type ClickHouse, connect } from '@email-events/sink-clickhouse';
import { publishResult } from '../src/result.ts';
import { memoryOf } from './processors/usage.ts';
import { TypedVisibility } from './typed-visibility.ts';
import { percentile, type Seen, Visibility } from './visibility.ts';

/**
 * How long a webhook takes to become typed records that a consumer has, and rows that a query shows, at a fixed rate, with every process on this
 * machine. Counted from the time at which its first attempt was due, whether a connection was free then or not.
 */
export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      /** Events a second. */
      rate: { type: 'string', default: '500' },
      seconds: { type: 'string', default: '40' },
      /** Not counted: connections, compilers and caches get warm. */
      warmup: { type: 'string', default: '30' },
      esp: { type: 'string', multiple: true },
    },
  });
  const load: Load = {
    rate: Number(values.rate),
    seconds: Number(values.seconds),
    warmup: Number(values.warmup),
    esps: values.esp as string[] | undefined,
  };
  // As a broker in production, whose code is compiled well by the time.
  process.env.KAFKA_JVM_PERFORMANCE_OPTS ??= '-XX:+UseSerialGC';
  const home = await mkdtemp(join(tmpdir(), 'email-events-bench-'));
  const reporter = createReporter((line) => process.stderr.write(`${line}\n`));
  let pipeline: RunningPipeline | undefined;
  try {
    pipeline = await startPipeline({ home, anyPorts: true, reporter, signal: new AbortController().signal });
    await publishResult('end-to-end', await measure(pipeline, load));
  } finally {
    await pipeline?.stop();
    await rm(home, { recursive: true, force: true });
  }
}

interface Load {
  readonly rate: number;
  readonly seconds: number;
  readonly warmup: number;
  readonly esps: string[] | undefined;
}

async function measure(pipeline: RunningPipeline, load: Load) {
  const { config } = pipeline;
  const clickhouse = connect(config.sinks.clickhouse);
  const typed = new TypedVisibility(new Codec({ url: config.registry.url }));
  try {
    await typed.start(config.kafka);
    const visibility = new Visibility(clickhouse);
    const watching = visibility.watch();
    const before = await usage(pipeline);
    const [{ sent, seen }] = await Promise.all([send(pipeline, load, [visibility, typed]), watching]);
    const after = await usage(pipeline);
    const onTopics = await typed.stop();
    if (onTopics.length !== seen.length)
      throw new Error(`${onTopics.length} typed records instead of ${seen.length}`);
    const from = Math.min(...seen.map(({ intendedAt }) => intendedAt)) + load.warmup * 1000;
    const isCounted = ({ intendedAt }: Seen) => intendedAt >= from;
    const counted = seen.filter(isCounted);
    return {
      ...{ asked_events_per_second: load.rate, events_per_second: round(sent.eventsPerSecond) },
      ...{
        requests_per_second: round(sent.requestsPerSecond),
        events: counted.length,
        retries: sent.retries,
      },
      ...latencies(counted),
      ...latencies(onTopics.filter(isCounted), 'typed_'),
      poll_p95_ms: round(percentile(visibility.pollMs, 0.95)),
      ...(await insideView(clickhouse, from)),
      ...costs(before, after, sent.expected.received),
    };
  } finally {
    // What went wrong with it was told before.
    await typed.stop().catch(() => {});
    await clickhouse.close();
  }
}

async function send(
  pipeline: RunningPipeline,
  load: Load,
  [visibility, typed]: readonly [Visibility, TypedVisibility],
) {
  const events = load.rate * (load.warmup + load.seconds);
  const startTime = Date.now();
  const options = { seed: 1, events, esps: load.esps, startTime, runId: 'bench', duplicates: 0, invalid: 0 };
  const plan = createPlan(options);
  // Signed beforehand: what signing costs is the ESPs' business.
  const requests = [...signedRequests(plan, { credentials: pipeline.sender, now: Date.now })];
  const sent: SimulationResult = await sendRequests(plan, requests, {
    baseUrl: pipeline.urls.ingress,
    credentials: pipeline.sender,
    rate: load.rate,
    onAnswer: (answer) => {
      visibility.acknowledged(answer);
      typed.acknowledged(answer);
    },
  });
  if (sent.unexpected > 0) throw new Error(`${sent.unexpected} requests were not acknowledged`);
  const seen = await visibility.finish(60_000);
  if (seen.length !== sent.expected.emitted) {
    throw new Error(`${seen.length} rows instead of ${sent.expected.emitted}`);
  }
  return { sent, seen };
}

function latencies(seen: readonly Seen[], of = '') {
  const values = seen.map(({ latencyMs }) => latencyMs);
  return {
    [`${of}p50_ms`]: percentile(values, 0.5),
    [`${of}p95_ms`]: percentile(values, 0.95),
    [`${of}p99_ms`]: percentile(values, 0.99),
    [`${of}max_ms`]: percentile(values, 1),
  };
}

/** The same by the servers' own notes, as a check: received by the ingress → handled by the INSERT; not yet readable. */
async function insideView(clickhouse: ClickHouse, from: number) {
  const [row] = await clickhouse.query<{ p50: number; p99: number }>(
    `SELECT toFloat64(quantileExact(0.5)(age)) AS p50, toFloat64(quantileExact(0.99)(age)) AS p99
     FROM (SELECT dateDiff('ms', received_at, inserted_at) AS age FROM email_events
           WHERE received_at >= fromUnixTimestamp64Milli({from:Int64}))`,
    { from },
  );
  return {
    received_to_inserted_p50_ms: row?.p50 ?? Number.NaN,
    received_to_inserted_p99_ms: row?.p99 ?? Number.NaN,
  };
}

type Usage = { readonly [service: string]: { readonly cpuSeconds: number; readonly peakMb: number } };

async function usage(pipeline: RunningPipeline): Promise<Usage> {
  const entries = await Promise.all(
    Object.entries(pipeline.admin).map(async ([service, url]) => {
      const samples = await scrape(url);
      const value = (name: string) => samples.find((sample) => sample.name === name)?.value ?? Number.NaN;
      return [
        service,
        {
          cpuSeconds: value('process_cpu_seconds_total'),
          peakMb: peakOf(pipeline, service),
        },
      ] as const;
    }),
  );
  return Object.fromEntries(entries);
}

/** VmHWM; a service in a container has no process here. */
function peakOf(pipeline: RunningPipeline, service: string): number {
  const name = SERVICE_NAMES.find((known) => known === service);
  const pid = name && pipeline.service(name).pid;
  return pid === undefined ? Number.NaN : memoryOf(pid).peakMb;
}

/** At a rate far below the limit, most of this is what a process costs by being awake. */
function costs(before: Usage, after: Usage, events: number) {
  const figures: { [figure: string]: number } = {};
  for (const [service, { cpuSeconds, peakMb }] of Object.entries(after)) {
    const name = service.replaceAll('-', '_');
    figures[`${name}_cpu_us_per_event`] = round(
      ((cpuSeconds - (before[service]?.cpuSeconds ?? 0)) * 1e6) / events,
    );
    figures[`${name}_peak_mb`] = peakMb;
  }
  return figures;
}

const round = (value: number) => Math.round(value * 10) / 10;
