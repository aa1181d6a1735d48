import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { composeConfig } from '@email-events/core/config';
import type { KafkaStack } from '@email-events/dev/stack';
import { createSigner } from '@email-events/esps/accounts';
import { afterAll, beforeAll, expect, type TestContext, test } from 'vitest';
import { fileScope, startOwnKafka, waitFor, wholeKafka } from '../../../test/harness/stack.ts';
import { ingressService } from '../descriptor.ts';
import { makeOutputs, readRaw, Traffic } from '../testing/traffic.ts';

const { parse: parseConfig } = composeConfig([ingressService]);

const MAIN = fileURLToPath(new URL('../main.ts', import.meta.url));

/** A real ingress process that can be killed. */
class Worker {
  readonly #child: ChildProcess;
  /** Undefined until it takes requests, and when it is gone. */
  port: number | undefined;
  #adminPort = 0;
  /** All lines of its log. */
  readonly log: { readonly [field: string]: unknown }[] = [];

  constructor(config: string, env: { readonly [name: string]: string } = {}) {
    this.#child = spawn(process.execPath, [MAIN, '--config', config], {
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
      env: { ...process.env, ...env },
    });
    if (this.#child.stdout)
      createInterface({ input: this.#child.stdout }).on('line', (line) => this.log.push(JSON.parse(line)));
    this.#child.once('message', ({ ports }: { ports: { http: number; admin: number } }) => {
      this.port = ports.http;
      this.#adminPort = ports.admin;
    });
    this.#child.once('exit', () => {
      this.port = undefined;
    });
  }

  /** Requests that wait in its spool, or in one that it has taken over. */
  async waiting(): Promise<number> {
    const metrics = await (await fetch(`http://127.0.0.1:${this.#adminPort}/metrics`)).text();
    return Number(metrics.match(/^email_events_ingress_spool_records{.*?} (\S+)$/m)?.[1]);
  }

  get isOver(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<number | null> {
    this.port = undefined;
    if (this.isOver) return this.#child.exitCode;
    // With all that it has said.
    const ended = once(this.#child, 'close');
    this.#child.kill(signal);
    await ended;
    return this.#child.exitCode;
  }
}

const file = fileScope();
let stack: KafkaStack;

beforeAll(async () => {
  stack = await startOwnKafka(file.scope);
}, 180_000);

afterAll(() => file.end(), 60_000);

/** A folder and processes of its own. */
async function setUp(context: TestContext) {
  const dir = await mkdtemp(join(tmpdir(), 'email-events-spool-'));
  const spoolDir = join(dir, 'spool');
  context.onTestFinished(() => rm(dir, { recursive: true, force: true }));
  const signer = await createSigner('sendgrid');
  const settings = {
    kafka: { brokers: stack.kafka.brokers },
    ingress: { port: 0, adminPort: 0, publishTimeoutMs: 3_000, spool: { dir: spoolDir, afterMs: 500 } },
    sources: { shop: { esp: 'sendgrid', secrets: signer.settings.secrets } },
    log: { level: 'warn' },
  };
  const config = parseConfig(settings);
  await makeOutputs(config);
  const configFile = join(dir, 'ingress.yaml');
  // JSON is YAML.
  await writeFile(configFile, JSON.stringify(settings));
  const workers: Worker[] = [];
  const startWorker = (env?: { readonly [name: string]: string }) => {
    const worker = new Worker(configFile, env);
    workers.push(worker);
    return worker;
  };
  const portOf = (n: number) => {
    const ports = workers.flatMap(({ port }) => port ?? []);
    return ports[n % ports.length];
  };
  const traffic = new Traffic(portOf, signer);
  context.onTestFinished(async () => {
    await traffic.end();
    await Promise.all(workers.map((worker) => worker.end('SIGKILL')));
  });
  return { config, spoolDir, traffic, startWorker };
}

const spools = async (dir: string) => (await readdir(dir)).length;

test('several ingress processes on one spool, killed while Kafka is away and while they drain: nothing acknowledged is missing or stuck', async (context) => {
  const { config, spoolDir, traffic, startWorker } = await setUp(context);
  const kafka = wholeKafka(stack);
  const more = async (count: number) => {
    const before = traffic.count(200);
    await waitFor('requests are accepted', () => traffic.count(200) > before + count);
  };
  const [first, second, third] = [startWorker(), startWorker(), startWorker()];
  await waitFor('all are there', () => [first, second, third].every(({ port }) => port !== undefined));
  await more(100);

  await kafka.kill();
  await more(300);
  // For good: it is not started again, and only its spool has the requests that it accepted.
  await first?.end('SIGKILL');
  await more(200);
  await second?.end('SIGKILL');
  const fourth = startWorker();
  await waitFor('the next one is there', () => fourth.port !== undefined);
  await more(200);

  await kafka.start();
  await waitFor('draining has begun', async () => (await spools(spoolDir)) < 4);
  await third?.end('SIGKILL');
  const fifth = startWorker();
  await more(200);
  await traffic.end();
  await waitFor('the last one is there', () => fifth.port !== undefined);
  await waitFor('only the spools of the living are left', async () => (await spools(spoolDir)) === 2);
  for (const worker of [fourth, fifth])
    await waitFor('it is drained', async () => (await worker.waiting()) === 0);
  expect(await Promise.all([fourth, fifth].map((worker) => worker.end('SIGTERM')))).toEqual([0, 0]);

  const { accepted } = traffic;
  expect([...traffic.statuses.keys()]).toEqual([200]);
  const missing = (found: ReadonlyMap<string, string>) =>
    [...accepted].filter(([requestId, body]) => found.get(requestId) !== body);
  const found = await readRaw(config.kafka, (read) =>
    waitFor('all that was accepted', () => read.size >= accepted.size && missing(read).length === 0),
  );
  expect(missing(found)).toEqual([]);
  context.annotate(`${accepted.size} accepted, ${traffic.unanswered} without an answer`);
  expect(await readdir(spoolDir)).toEqual([]);
});

test('an instance that is taken away while Kafka is: it goes when its spool is empty; else it says what it leaves, which the next one on the disk sends', async (context) => {
  const { config, spoolDir, traffic, startWorker } = await setUp(context);
  const kafka = wholeKafka(stack);
  const ready = (worker: Worker) => waitFor('it takes requests', () => worker.port !== undefined);
  const spooled = async (worker: Worker, count: number) =>
    waitFor('requests are spooled', async () => (await worker.waiting()) >= count);
  const impatient = startWorker({ EMAIL_EVENTS_INGRESS_SPOOL_DRAIN_ON_STOP_MS: '1000' });
  await ready(impatient);
  await kafka.kill();
  await spooled(impatient, 50);
  expect(await impatient.end('SIGTERM')).toBe(0);
  const left = impatient.log.find(({ code }) => code === 'INGRESS_SPOOL_LEFT');
  expect(left).toMatchObject({ level: 'warn', oldestAt: expect.any(String) });
  expect(Number(left?.records)).toBeGreaterThanOrEqual(50);

  // On the same disk, as a pod that comes back to its volume; it takes over what is there, and is told to go itself.
  const patient = startWorker({ EMAIL_EVENTS_INGRESS_SPOOL_DRAIN_ON_STOP_MS: '600000' });
  await ready(patient);
  await spooled(patient, 20);
  const gone = patient.end('SIGTERM');
  await traffic.end();
  await kafka.start();
  // The monitoring must see the end of it, or it would tell of requests that are left.
  await waitFor('it tells that nothing is left', async () => (await patient.waiting()) === 0);
  expect(await gone).toBe(0);
  expect(patient.log.filter(({ code }) => code === 'INGRESS_SPOOL_LEFT')).toEqual([]);
  expect(await readdir(spoolDir)).toEqual([]);

  const { accepted } = traffic;
  const missing = (found: ReadonlyMap<string, string>) =>
    [...accepted].filter(([requestId, body]) => found.get(requestId) !== body);
  const found = await readRaw(config.kafka, (read) =>
    waitFor('all that was accepted', () => read.size >= accepted.size && missing(read).length === 0),
  );
  expect(missing(found)).toEqual([]);
  expect(accepted.size).toBeGreaterThanOrEqual(70);
});
