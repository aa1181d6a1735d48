import { scrape, sumBy } from '@email-events/cli/admin-port';
import { topics } from '@email-events/schemas';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Pipeline, startPipeline, valuesOf } from '../harness/pipeline.ts';
import type { LaunchedService } from '../harness/service-process.ts';
import { fileScope, vacantStack, waitFor } from '../harness/stack.ts';
import { startProxy, type TcpProxy } from '../harness/tcp-proxy.ts';
import { HonestSenders, honestSigners, sourcesOf } from './hostile-senders.ts';

const SEED = 1;
const ROUNDS = 3;
const PROBE_MS = 100;
/** Several probes: the balancer may miss one. */
const DRAIN_MS = 600;
/** The bound that core/README.md and the settings come to; a stop without work takes a fraction of it. */
const STOP_BOUND_MS = 30_000;

const file = fileScope();
let world: Pipeline;
let signers: Awaited<ReturnType<typeof honestSigners>>;

beforeAll(async () => {
  signers = await honestSigners();
  world = await startPipeline(file.scope, await vacantStack(file.scope), {
    name: 'graceful',
    settings: {
      ingress: { drainDelayMs: DRAIN_MS, publishTimeoutMs: 5_000 },
      sources: sourcesOf(signers),
    },
  });
}, 180_000);

afterAll(() => file.end(), 60_000);

test('workers behind a balancer are replaced one after the other: no sender sees an error', async (context) => {
  const balancer = new Balancer();
  context.onTestFinished(() => balancer.stop());
  await balancer.start();
  const launch = (n: number) => balancer.add(world.launch('ingress', { name: `ingress-${n}` }));
  let workers = [await launch(0), await launch(1)];
  const senders = new HonestSenders({ port: () => balancer.port, signers, seed: SEED, tries: 1, pauseMs: 4 });
  context.onTestFinished(() => senders.close());
  const sending = senders.send(Number.POSITIVE_INFINITY);
  const more = async (count: number) => {
    const before = senders.acknowledged.size;
    await waitFor('traffic', () => senders.acknowledged.size >= before + count);
  };

  await more(100);
  const times: number[] = [];
  for (let round = 0; round < 2 * ROUNDS; round++) {
    const [oldest, other] = workers as [LaunchedService, LaunchedService];
    const end = await oldest.terminate(STOP_BOUND_MS);
    expect(end).toMatchObject({ code: 0, signal: null });
    times.push(end.ms);
    await more(20);
    workers = [other, await launch(round + 2)];
    await more(50);
  }
  senders.stop();
  await sending;
  await context.annotate(
    `${senders.acknowledged.size} requests over ${times.length} restarts; SIGTERM to exit, ms: ${times.join(' ')}`,
  );
  expect([...senders.mishaps]).toEqual([]);
  const found = await valuesOf(world, topics.raw);
  expect([...senders.acknowledged].filter((body) => found.get(body) !== 1)).toEqual([]);
});

test('email.raw is given more partitions while requests come: no sender sees an error, and all are read', async (context) => {
  const more = { EMAIL_EVENTS_TOPICS_RAW_PARTITIONS: String(world.config.topics.rawPartitions + 3) };
  // Of the test before, which has sent bodies like these.
  const earlier = await valuesOf(world, topics.raw);
  const balancer = new Balancer();
  context.onTestFinished(() => balancer.stop());
  await balancer.start();
  const launch = (name: string, env = {}) => world.launch('ingress', { name, env });
  const before = await balancer.add(launch('fewer'));
  const normalize = world.launch('normalize', { name: 'fewer' });
  await normalize.ready;
  const senders = new HonestSenders({ port: () => balancer.port, signers, seed: 2, tries: 1, pauseMs: 4 });
  context.onTestFinished(() => senders.close());
  const sending = senders.send(Number.POSITIVE_INFINITY);
  const sent = (count: number) =>
    waitFor('traffic', () => senders.acknowledged.size >= count && senders.mishaps.size === 0);

  await sent(50);
  expect(await world.commandWith(more, 'topics', 'apply')).toMatchObject({ code: 0 });
  await sent(150);
  await balancer.add(launch('more', more));
  expect(await before.terminate(STOP_BOUND_MS)).toMatchObject({ code: 0 });
  expect(await normalize.terminate(STOP_BOUND_MS)).toMatchObject({ code: 0 });
  const next = world.launch('normalize', { name: 'more', env: more });
  const { admin } = await next.ready;
  await sent(300);
  senders.stop();
  await sending;

  expect([...senders.mishaps]).toEqual([]);
  const found = await valuesOf(world, topics.raw);
  const times = (body: string) => (found.get(body) ?? 0) - (earlier.get(body) ?? 0);
  expect([...senders.acknowledged].filter((body) => times(body) !== 1)).toEqual([]);
  const all = [...found.values()].reduce((sum, count) => sum + count, 0);
  const read = async () =>
    sumBy(await scrape(`http://127.0.0.1:${admin}`), 'email_events_normalize_requests_total', 'partition');
  await waitFor('all are read', async () => {
    const counts = Object.values(await read());
    return counts.reduce((sum, count) => sum + count, 0) === all;
  });
  const added = Object.entries(await read()).filter(
    ([partition, count]) => Number(partition) >= world.config.topics.rawPartitions && count > 0,
  );
  expect(added.length).toBeGreaterThan(0);
  // One that does not know of them would leave them unread.
  await expect(world.launch('normalize', { name: 'fewer' }).ready).rejects.toThrow('KAFKA_TOPIC_CONFLICT');
});

/** Asks every worker whether it is ready, as balancers do, and gives new connections to those that were the last time. */
class Balancer {
  readonly #ready = new Map<LaunchedService, { http: number; admin: number; isReady: boolean }>();
  #proxy: TcpProxy | undefined;
  #timer: NodeJS.Timeout | undefined;

  get port(): number {
    return this.#proxy?.port ?? 0;
  }

  async start(): Promise<void> {
    this.#proxy = await startProxy(() =>
      [...this.#ready.values()]
        .filter(({ isReady }) => isReady)
        .map(({ http }) => ({ host: '127.0.0.1', port: http })),
    );
    this.#timer = setInterval(() => this.#probe(), PROBE_MS);
  }

  /** Resolves when the worker gets traffic. */
  async add(worker: LaunchedService): Promise<LaunchedService> {
    const { http = 0, admin = 0 } = await worker.ready;
    const state = { http, admin, isReady: false };
    this.#ready.set(worker, state);
    await waitFor('the balancer finds it ready', () => state.isReady);
    void worker.ended.then(() => this.#ready.delete(worker));
    return worker;
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#proxy?.stop();
  }

  #probe(): void {
    for (const state of this.#ready.values()) {
      fetch(`http://127.0.0.1:${state.admin}/readyz`, { signal: AbortSignal.timeout(PROBE_MS * 5) }).then(
        ({ ok }) => {
          state.isReady = ok;
        },
        () => {
          state.isReady = false;
        },
      );
    }
  }
}
