import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DemoResult, runDemo } from '@email-events/deploy/run/demo/demo';
import { type RunningPipeline, startPipeline } from '@email-events/deploy/run/pipeline';
import { scrape, sumBy } from '@email-events/deploy/run/prometheus';
import { createReporter } from '@email-events/deploy/run/reporter';
import { readState } from '@email-events/deploy/run/state-file';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { waitFor } from '../stack/stack.ts';

// The whole system as `npm start` runs it: every service a process of its own, on real components of its own.
let home: string;
let pipeline: RunningPipeline;
const stop = new AbortController();

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'email-events-e2e-'));
  pipeline = await startPipeline({
    home,
    anyPorts: true,
    reporter: createReporter(() => {}),
    signal: stop.signal,
  });
}, 180_000);

afterAll(async () => {
  await pipeline?.stop();
  await rm(home, { recursive: true, force: true });
}, 120_000);

// Patient as ESPs are: they come again for hours. A killed service is missed by its group for ten seconds.
function demo(events: number, seed: number, rate?: number): Promise<DemoResult> {
  const options = { events, seed, attempts: 100, quietMs: 60_000, ...(rate === undefined ? {} : { rate }) };
  return runDemo(pipeline, { ...options, signal: stop.signal, quiet: true, note: () => {} });
}

/** A run that goes on for a while, once its requests come in. */
async function traffic(seed: number): Promise<{ done: Promise<DemoResult> }> {
  const before = await published();
  const done = demo(4_000, seed, 250);
  done.catch(() => {});
  await waitFor('requests come in', async () => (await published()) > before + 50, 60_000);
  return { done };
}

/** The checks that do not hold: an empty list says more in a failure than `false`. */
function disagreements({ checks, sent }: DemoResult) {
  const failed = checks.filter((check) => !check.agrees);
  return sent.unexpected === 0 ? failed : [...failed, { unexpectedAnswers: sent.unexpected }];
}

describe('the pipeline, from signed webhooks to ClickHouse and the CRM', () => {
  it('agrees with what was sent, to the event', async () => {
    const result = await demo(3_000, 1);
    expect(disagreements(result)).toEqual([]);
    expect(result.totals.emitted).toBeGreaterThan(2_500);
    expect(result.totals.duplicates).toBeGreaterThan(0);
    expect(result.totals.deadLetters).toBeGreaterThan(0);
    expect(result.sent.expected.suppressions.suppressed).toBeGreaterThan(0);
  });

  it('judges a second run on the same data by itself', async () => {
    expect(disagreements(await demo(1_000, 2))).toEqual([]);
  });

  it('loses and repeats nothing when every service is killed in the middle of traffic', async () => {
    const { done } = await traffic(3);
    const services = ['ingress', 'normalize', 'events', 'sink-clickhouse', 'sink-crm'];
    for (const name of services) {
      const pid = await pidOf(name);
      process.kill(pid, 'SIGKILL');
      await waitFor(`${name} runs again`, async () => (await pidOf(name)) !== pid, 60_000);
    }
    expect(disagreements(await done)).toEqual([]);
  }, 240_000);

  it('takes everything while Kafka is away, and brings it through when that is back', async () => {
    const kafka = pipeline.stack.component('kafka');
    const { done } = await traffic(4);
    await kafka.stop();
    await waitFor(
      'the ingress is degraded',
      async () => (await readiness('ingress')).status === 'degraded',
      60_000,
    );
    const before = await accepted();
    await waitFor('it takes requests', async () => (await accepted()) > before + 50, 60_000);
    expect((await readiness('ingress')).code).toBe(200);
    await kafka.start();
    const result = await done;
    expect(disagreements(result)).toEqual([]);
    expect(result.sent.uncertain).toBe(0);
    await waitFor('the ingress is well', async () => (await readiness('ingress')).status === 'ok', 60_000);
  }, 240_000);
});

async function pidOf(service: string): Promise<number> {
  const found = readState(pipeline.paths)?.services.find(({ name }) => name === service);
  if (!found?.pid || found.state !== 'running') throw new Error(`${service} is not running`);
  return found.pid;
}

async function counted(metric: string): Promise<number> {
  const samples = await scrape(pipeline.admin.ingress ?? '');
  return Object.values(sumBy(samples, metric, 'source')).reduce((sum, count) => sum + count, 0);
}

const published = () => counted('email_events_ingress_published_records_total');
/** Of any kind: into Kafka or into the spool. */
const accepted = () => counted('email_events_ingress_request_seconds_count');

async function readiness(service: 'ingress'): Promise<{ code: number; status?: string }> {
  const answer = await fetch(`${pipeline.admin[service]}/readyz`);
  return { code: answer.status, ...((await answer.json()) as { status?: string }) };
}
