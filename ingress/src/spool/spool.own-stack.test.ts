import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { applyTopics } from '@email-events/core';
import { composeConfig } from '@email-events/core/config';
import { createSigner } from '@email-events/esps/accounts';
import { topicCatalogue } from '@email-events/schemas';
import { expect, type TestContext, test } from 'vitest';
import { startOwnKafka, waitFor, wholeKafka } from '../../../test/harness/stack.ts';
import { ingressService } from '../descriptor.ts';
import { readRaw, Traffic } from '../testing/traffic.ts';

const { parse: parseConfig } = composeConfig([ingressService]);

const MAIN = fileURLToPath(new URL('../main.ts', import.meta.url));

/** A real ingress process that can be killed. */
class Worker {
  readonly #child: ChildProcess;
  /** Undefined until it takes requests, and when it is gone. */
  port: number | undefined;
  #adminPort = 0;

  constructor(config: string) {
    this.#child = spawn(process.execPath, [MAIN, '--config', config], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
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

  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<number | null> {
    this.port = undefined;
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return this.#child.exitCode;
    const ended = once(this.#child, 'exit');
    this.#child.kill(signal);
    await ended;
    return this.#child.exitCode;
  }
}

async function setUp(context: TestContext) {
  const stack = await startOwnKafka(context);
  const dir = await mkdtemp(join(tmpdir(), 'email-events-spool-'));
  const spoolDir = join(dir, 'spool');
  context.onTestFinished(() => rm(dir, { recursive: true, force: true }));
  const signer = await createSigner('sendgrid');
  const settings = {
    kafka: { brokers: stack.kafka.brokers },
    ingress: { port: 0, adminPort: 0, publishTimeoutMs: 3_000, spool: { dir: spoolDir, afterMs: 500 } },
    sources: { shop: { esp: 'sendgrid', secrets: signer.settings.secrets } },
    log: { level: 'error' },
  };
  const config = parseConfig(settings);
  await applyTopics(config.kafka, topicCatalogue(config.topics));
  const file = join(dir, 'ingress.yaml');
  // JSON is YAML.
  await writeFile(file, JSON.stringify(settings));
  const workers: Worker[] = [];
  const startWorker = () => {
    const worker = new Worker(file);
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
  return { stack, config, spoolDir, traffic, startWorker };
}

const spools = async (dir: string) => (await readdir(dir)).length;

test('several ingress processes on one spool, killed while Kafka is away and while they drain: nothing acknowledged is missing or stuck', async (context) => {
  const { stack, config, spoolDir, traffic, startWorker } = await setUp(context);
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
