import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type PipelineConfig, pipelineConfig } from '@email-events/cli/services';
import { applyTopics, createKafka, createLogger, encodeRawHeaders } from '@email-events/core';
import { createProvider, printProgress, selectProvider } from '@email-events/dev/stack';
import { IDENTITY_VERSION } from '@email-events/esps';
import { registerSchemas, topicCatalogue, topics } from '@email-events/schemas';
import { stringify } from 'yaml';
import { publishResult } from '../src/result.ts';

/** Fills email.raw, then times `normalize` and `events` until the last event is out. */
export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      events: { type: 'string', default: '400000' },
      batch: { type: 'string', default: '100' },
      duplicates: { type: 'string', default: '0.05' },
    },
  });
  const load = {
    events: Number(values.events),
    batch: Number(values.batch),
    duplicates: Number(values.duplicates),
  };
  const dataDir = await mkdtemp(join(tmpdir(), 'email-events-bench-'));
  const stack = await createProvider(selectProvider(process.env), process.env).start({
    dataDir,
    onProgress: printProgress,
  });
  try {
    const settings = {
      kafka: { brokers: stack.kafka.brokers },
      registry: { url: stack.registry.url },
      normalize: { adminPort: 0 },
      events: { adminPort: 0, stateDir: join(dataDir, 'state') },
    };
    const config = pipelineConfig.parse(settings);
    await applyTopics(config.kafka, topicCatalogue(config.topics));
    await registerSchemas({ url: config.registry.url });
    await fill(config, load);
    await measure(settings, dataDir, load);
  } finally {
    await stack.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
}

interface Load {
  readonly events: number;
  readonly batch: number;
  readonly duplicates: number;
}

/** SendGrid batches of one message's life each, spread over recipients; a share of requests is sent twice. */
async function fill(config: PipelineConfig, { events, batch, duplicates }: Load): Promise<void> {
  const producer = createKafka(config.kafka, 'bench-fill', createLogger('bench', 'error')).producer();
  await producer.connect();
  const types = ['processed', 'delivered', 'open', 'click'];
  let written = 0;
  let partition = 0;
  let previous: Buffer | undefined;
  while (written < events) {
    const messages = [];
    for (let r = 0; r < 20 && written < events; r++) {
      const repeat = previous !== undefined && Math.random() < duplicates;
      const body: Buffer =
        repeat && previous
          ? previous
          : Buffer.from(JSON.stringify(Array.from({ length: batch }, (_, i) => eventOf(written + i, types))));
      previous = body;
      const headers = encodeRawHeaders({
        requestId: crypto.randomUUID(),
        source: 'sendgrid',
        esp: 'sendgrid',
        identityVersion: IDENTITY_VERSION,
        receivedAt: Date.now(),
        method: 'POST',
        url: '/webhooks/email-events/sendgrid',
        contentType: 'application/json',
        remoteAddress: '127.0.0.1',
        headers: {},
      });
      messages.push({ partition: partition++ % config.topics.rawPartitions, value: body, headers });
      written += batch;
    }
    await producer.send({ topic: topics.raw, acks: -1, messages });
  }
  await producer.disconnect();
}

function eventOf(n: number, types: readonly string[]) {
  const message = Math.floor(n / types.length);
  return {
    email: `recipient${message % 50_000}@mail${message % 20}.example`,
    timestamp: 1_790_000_000 + (n % 1_000_000),
    'smtp-id': `<${message}@sender.example>`,
    event: types[n % types.length],
    category: ['newsletter', 'autumn'],
    sg_event_id: randomBytes(18).toString('base64url'),
    sg_message_id: `${message}.filter0001.16648.5515E0B88.0`,
    useragent: 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36',
    ip: '203.0.113.7',
    url: 'https://shop.example/autumn?utm_source=mail',
    response: '250 OK',
    campaign: 'autumn-sale',
    order: 'A-77312',
  };
}

async function measure(settings: object, dataDir: string, load: Load): Promise<void> {
  const file = join(dataDir, 'pipeline.yaml');
  await writeFile(file, stringify(settings));
  const started = performance.now();
  const normalize = await startService('../../processors/src/normalize/main.ts', file);
  const events = await startService('../../processors/src/events/main.ts', file);
  try {
    let received = 0;
    let doneAt = 0;
    const deadline = performance.now() + 600_000;
    while (performance.now() < deadline && received < load.events) {
      await new Promise((resolve) => setTimeout(resolve, 200));
      const [received_] = [
        sum(await metricsOf(events.port), /^email_events_events_total\{.*result="received"/),
      ];
      if (received_ > received) doneAt = performance.now();
      received = received_;
    }
    const seconds = (doneAt - started) / 1_000;
    const usage = { normalize: await usageOf(normalize.port), events: await usageOf(events.port) };
    const duplicates = sum(await metricsOf(events.port), /^email_events_events_total\{.*result="duplicate"/);
    await publishResult('processors', {
      events: received,
      expected: load.events,
      duplicates,
      seconds: round(seconds),
      events_per_second: Math.round(received / seconds),
      normalize_cpu_us_per_event: round((usage.normalize.cpuSeconds * 1e6) / received),
      events_cpu_us_per_event: round((usage.events.cpuSeconds * 1e6) / received),
      normalize_peak_rss_mb: usage.normalize.rssMb,
      events_peak_rss_mb: usage.events.rssMb,
    });
  } finally {
    await Promise.all([normalize.stop(), events.stop()]);
  }
}

interface Service {
  readonly port: number;
  stop(): Promise<void>;
}

function startService(main: string, configFile: string): Promise<Service> {
  const child = spawn(
    process.execPath,
    [...profileFlags(), new URL(main, import.meta.url).pathname, '--config', configFile],
    {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    },
  );
  return new Promise((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`${main} ended with ${code}`)));
    child.once('message', (message: { ports: { admin: number } }) =>
      resolve({ port: message.ports.admin, stop: () => stopped(child) }),
    );
  });
}

const profileFlags = () =>
  process.env.BENCH_PROFILE ? ['--cpu-prof', `--cpu-prof-dir=${process.env.BENCH_PROFILE}`] : [];

function stopped(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.once('exit', () => resolve());
    child.kill('SIGTERM');
  });
}

async function metricsOf(port: number): Promise<string> {
  return (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
}

function sum(metrics: string, line: RegExp): number {
  return metrics
    .split('\n')
    .filter((text) => line.test(text))
    .reduce((total, text) => total + Number(text.slice(text.lastIndexOf(' '))), 0);
}

async function usageOf(port: number): Promise<{ cpuSeconds: number; rssMb: number }> {
  const metrics = await metricsOf(port);
  return {
    cpuSeconds: sum(metrics, /^process_cpu_seconds_total/),
    rssMb: Math.round(sum(metrics, /^process_resident_memory_bytes/) / 1e6),
  };
}

const round = (value: number) => Math.round(value * 100) / 100;
