import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { REPOSITORY } from '@email-events/cli/home';
import { pipelineConfig } from '@email-events/cli/services';
import { applyTopics } from '@email-events/core';
import { readBaseConfig } from '@email-events/dev/run/local-config';
import { type RunningPipeline, startPipeline } from '@email-events/dev/run/pipeline';
import { createReporter } from '@email-events/dev/run/reporter';
import { createProvider, printProgress, selectBreakable } from '@email-events/dev/stack';
import { Codec, registerSchemas, type Suppression, topicCatalogue, topics } from '@email-events/schemas';
import { Account, Client } from '../abuse/account.ts';
import { draftOf } from '../abuse/story.ts';
import { produce } from '../contracts/crm/service.ts';
import { PlayedCrms } from '../crm/played.ts';
import { forgetAddresses, unique } from '../harness/isolation.ts';
import { LaunchedService } from '../harness/service-process.ts';
import { waitFor } from '../harness/wait.ts';
import { publishResult } from '../src/result.ts';
import { percentile } from './visibility.ts';

/**
 * How long after a webhook a CRM that is well has the suppression, and how much of a CRM's limit a backlog is written with. The CRM is played by its
 * harness, in a process of its own, and enforces the limit.
 */
export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      crm: { type: 'string', default: 'hubspot' },
      /** Calls a second that the CRM takes. */
      limit: { type: 'string', default: '300' },
      /** Webhooks a second, of a hard bounce each, and for how long. */
      rate: { type: 'string', default: '20' },
      seconds: { type: 'string', default: '30' },
      /** Of the backlog; 0: none. */
      states: { type: 'string', default: '100000' },
      instances: { type: 'string', default: '1' },
      /** Recipients that an instance writes at a time. */
      concurrency: { type: 'string', default: '64' },
    },
  });
  const of: Load = {
    ...{ kind: values.crm, limit: Number(values.limit), rate: Number(values.rate) },
    ...{ seconds: Number(values.seconds), states: Number(values.states) },
    ...{ instances: Number(values.instances), concurrency: Number(values.concurrency) },
  };
  forgetAddresses();
  const figures = {
    ...{ crm: of.kind, limit_calls_per_second: of.limit },
    ...(of.seconds > 0 ? await within(of, latency) : {}),
    ...(of.states > 0 ? await within(of, backlog) : {}),
  };
  await publishResult('crm', figures);
}

interface Load {
  readonly kind: string;
  readonly limit: number;
  readonly rate: number;
  readonly seconds: number;
  readonly states: number;
  readonly instances: number;
  readonly concurrency: number;
}

type Figures = { readonly [figure: string]: number };

async function within(
  load: Load,
  measure: (load: Load, played: PlayedCrms, home: string) => Promise<Figures>,
): Promise<Figures> {
  const home = await mkdtemp(join(tmpdir(), 'email-events-bench-crm-'));
  const played = await PlayedCrms.start({ kinds: [load.kind], seed: 1, limit: load.limit });
  try {
    return await measure(load, played, home);
  } finally {
    await played.stop();
    await rm(home, { recursive: true, force: true });
  }
}

/** Not counted: connections, compilers and caches get warm. */
const WARM_UP = 40;

async function latency(load: Load, played: PlayedCrms, home: string): Promise<Figures> {
  const account = await Account.create('bench', { suppresses: 'all' });
  const crm = { kind: load.kind, callsPerSecond: load.limit, ...played.settings[load.kind] };
  const base = readBaseConfig(join(REPOSITORY, 'deploy/config/local.yaml'));
  const sinks = { crm: { others: { bench: crm } } };
  const baseConfig = join(home, 'base.json');
  await mkdir(home, { recursive: true });
  await writeFile(baseConfig, JSON.stringify({ ...base, sinks, sources: account.sourcesOf(['postmark']) }), {
    mode: 0o600,
  });
  const reporter = createReporter((line) => process.stderr.write(`${line}\n`));
  const provider = createProvider(selectBreakable(process.env), process.env);
  const { signal } = new AbortController();
  const pipeline = await startPipeline({ home, baseConfig, provider, anyPorts: true, reporter, signal });
  try {
    const dueAt = await sendBounces(pipeline, account, load);
    const seen = new Map<string, number>();
    await waitFor(
      'the CRM to have all',
      async () => {
        for (const [recipient, at] of (await played.report(load.kind)).firstSuppressedAt)
          seen.set(recipient, at);
        return [...dueAt.keys()].every((recipient) => seen.has(recipient));
      },
      60_000,
    );
    const times = [...dueAt]
      .slice(WARM_UP)
      .map(([recipient, at]) => (seen.get(recipient) ?? Number.NaN) - at);
    return {
      webhooks: times.length,
      webhook_to_crm_p50_ms: percentile(times, 0.5),
      webhook_to_crm_p99_ms: percentile(times, 0.99),
      webhook_to_crm_max_ms: percentile(times, 1),
    };
  } finally {
    await pipeline.stop();
  }
}

/** At a fixed rate, each when it is due. Returns when that was, by recipient. Epoch milliseconds. */
async function sendBounces(
  pipeline: RunningPipeline,
  account: Account,
  { rate, seconds }: Load,
): Promise<Map<string, number>> {
  const client = new Client(pipeline.urls.ingress, 16);
  const dueAt = new Map<string, number>();
  const answers: Promise<void>[] = [];
  const begin = Date.now() + 100;
  try {
    for (let id = 0; id < rate * seconds + WARM_UP; id += 1) {
      const due = begin + (id * 1_000) / rate;
      await sleep(Math.max(0, due - Date.now()));
      const recipient = `bounced-${id}@example.com`;
      dueAt.set(recipient, due);
      const draft = draftOf('postmark', [{ type: 'bounced', recipient, id, run: 'bench' }]);
      answers.push(
        client.send(account.request('postmark', draft)).then(({ status }) => {
          if (status !== 200) throw new Error(`a webhook was answered ${status}`);
        }),
      );
    }
    await Promise.all(answers);
    return dueAt;
  } finally {
    await client.close();
  }
}

/** A state for each of as many recipients lies in the topic before the sink starts. */
async function backlog(load: Load, played: PlayedCrms, home: string): Promise<Figures> {
  const provider = createProvider(selectBreakable(process.env), process.env);
  const stack = await provider.start({ dataDir: join(home, 'stack'), onProgress: printProgress });
  const cleaners: (() => Promise<void>)[] = [];
  try {
    const settings = {
      kafka: { ...stack.kafka, groupPrefix: unique('bench') },
      registry: stack.registry,
      topics: { partitions: 4 },
      sinks: {
        crm: {
          ...{ adminPort: 0, kind: load.kind, callsPerSecond: load.limit },
          ...{ concurrency: load.concurrency, ...played.settings[load.kind] },
        },
      },
    };
    const configFile = join(home, 'pipeline.yaml');
    await writeFile(configFile, JSON.stringify(settings));
    const config = pipelineConfig.parse(settings);
    await applyTopics(config.kafka, topicCatalogue(config.topics));
    await registerSchemas(stack.registry);
    const codec = new Codec(stack.registry);
    for (let from = 0; from < load.states; from += 1_000)
      await produce(config, codec, bouncesOf(from, Math.min(load.states, from + 1_000)));
    for (let index = 0; index < load.instances; index += 1) {
      const logFile = join(home, `sink-crm-${index}.log`);
      new LaunchedService(
        { service: 'sink-crm', configFile, logFile },
        { onTestFinished: (clean) => void cleaners.push(clean) },
      );
    }
    await untilDrained(load, played);
    const { calls, over, firstCallMs, lastCallMs } = await played.report(load.kind);
    const seconds = (lastCallMs - firstCallMs) / 1_000;
    return {
      ...{ backlog_states: load.states, backlog_instances: load.instances, backlog_calls: calls },
      backlog_concurrency: load.concurrency,
      ...{ backlog_seconds: Math.round(seconds), backlog_calls_above_limit: over },
      backlog_share_of_limit: Math.round((calls / seconds / load.limit) * 1_000) / 1_000,
    };
  } finally {
    for (const clean of cleaners.reverse()) await clean();
    await stack.stop();
  }
}

const STUCK_MS = 120_000;
const NOTE_MS = 30_000;

async function untilDrained(load: Load, played: PlayedCrms): Promise<void> {
  let [known, movedAt, notedAt] = [0, performance.now(), performance.now()];
  // To ask costs the CRM more, the more it holds.
  for (; known < load.states; await sleep(5_000)) {
    const before = known;
    known = await played.count(load.kind);
    const now = performance.now();
    if (known > before) movedAt = now;
    if (now - movedAt > STUCK_MS) throw new Error(`${known} of ${load.states} states, and no more come`);
    if (now - notedAt < NOTE_MS) continue;
    notedAt = now;
    process.stderr.write(`  ${known} of ${load.states} states\n`);
  }
}

function bouncesOf(from: number, to: number) {
  return Array.from({ length: to - from }, (_, i) => {
    const recipient = `backlog-${from + i}@example.com`;
    const value = {
      ...{ recipient, suppressed: true, changed_at: 1, event_id: recipient, revision: 1 },
      reasons: [
        {
          ...{ reason: 'hard_bounce', scope: 'all', since: 1, detail: null },
          ...{ esp: 'postmark', source: 'postmark', account: null, event_id: recipient },
        },
      ],
    } as Suppression;
    return { topic: topics.suppressions, key: recipient, value, timestamp: Date.now(), attempts: 0 };
  });
}
