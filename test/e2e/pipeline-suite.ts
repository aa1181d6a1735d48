import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { scrape, sumBy } from '@email-events/cli/admin-port';
import { REPOSITORY } from '@email-events/cli/home';
import { services } from '@email-events/cli/services';
import { type DemoOptions, type DemoResult, runDemo } from '@email-events/dev/run/demo/demo';
import { readBaseConfig } from '@email-events/dev/run/local-config';
import { type RunningPipeline, startPipeline } from '@email-events/dev/run/pipeline';
import { createReporter } from '@email-events/dev/run/reporter';
import type { ServiceMode, ServiceName } from '@email-events/dev/run/services';
import type { StackProvider } from '@email-events/dev/stack';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { unique, uniqueDatabase } from '../harness/isolation.ts';
import { fileScope, type TestScope, waitFor, wholeKafka } from '../harness/stack.ts';

/** Of traffic that goes on while something is broken. Events a second. */
const RATE = 250;

/** How the pipeline of a suite comes about. No case of a suite knows. */
export interface PipelineUnderTest {
  readonly services: ServiceMode;
  /** Default: what STACK names. */
  readonly provider?: StackProvider;
  /** Before the start. */
  prepare?(scope: TestScope): Promise<unknown>;
}

/** A pipeline for the tests of a `describe`, as `npm start` runs it, on its own data. */
class SuitePipeline {
  readonly #stop = new AbortController();
  #pipeline: RunningPipeline | undefined;

  constructor({ services, provider, prepare }: PipelineUnderTest) {
    const file = fileScope();
    beforeAll(async () => {
      const home = await mkdtemp(join(tmpdir(), 'email-events-e2e-'));
      file.scope.onTestFinished(() => rm(home, { recursive: true, force: true }));
      await prepare?.(file.scope);
      this.#pipeline = await startPipeline({
        ...{ home, services, provider, anyPorts: true, signal: this.#stop.signal },
        baseConfig: await writeNames(home),
        reporter: createReporter(() => {}),
      });
    }, 900_000);
    afterAll(async () => {
      try {
        await this.#pipeline?.stop();
      } finally {
        await file.end();
      }
    }, 120_000);
  }

  get running(): RunningPipeline {
    if (!this.#pipeline) throw new Error('the pipeline does not run');
    return this.#pipeline;
  }

  // Patient as ESPs are: they come again for hours. A killed service is missed by its group for ten seconds.
  demo(events: number, seed: number, more: Pick<DemoOptions, 'rate' | 'enough'> = {}): Promise<DemoResult> {
    const { signal } = this.#stop;
    const options = { events, seed, attempts: 100, quietMs: 60_000, ...more };
    return runDemo(this.running, { ...options, signal, quiet: true, note: () => {} });
  }

  /** A run that goes on for longer than any test may take, once its requests come in. `end` ends it and compares. */
  async traffic(seed: number): Promise<{ end(): Promise<DemoResult> }> {
    const enough = new AbortController();
    const before = await this.published();
    const done = this.demo(RATE * 600, seed, { rate: RATE, enough: enough.signal });
    done.catch(() => {});
    await waitFor('requests come in', async () => (await this.published()) > before + 50, 60_000);
    const end = () => {
      enough.abort();
      return done;
    };
    return { end };
  }

  published(): Promise<number> {
    return this.#counted('email_events_ingress_published_records_total');
  }

  /** Of any kind: into Kafka or into the spool. */
  accepted(): Promise<number> {
    return this.#counted('email_events_ingress_request_seconds_count');
  }

  async readiness(service: ServiceName): Promise<{ code: number; status?: string }> {
    const answer = await fetch(`${this.running.admin[service]}/readyz`);
    return { code: answer.status, ...((await answer.json()) as { status?: string }) };
  }

  async #counted(metric: string): Promise<number> {
    const samples = await scrape(this.running.admin.ingress ?? '');
    return Object.values(sumBy(samples, metric, 'source')).reduce((sum, count) => sum + count, 0);
  }
}

/** On a stack that others use, groups and tables of an earlier run would count for this one. */
async function writeNames(home: string): Promise<string> {
  const base = readBaseConfig(join(REPOSITORY, 'deploy/config/local.yaml'));
  const names = {
    kafka: { groupPrefix: unique('e2e') },
    sinks: { crm: {}, clickhouse: { database: uniqueDatabase('e2e') } },
  };
  const file = join(home, 'base.yaml');
  await writeFile(file, JSON.stringify({ ...base, ...names }));
  return file;
}

/** The checks that do not hold: an empty list says more in a failure than `false`. */
function disagreements({ checks, sent }: DemoResult) {
  const failed = checks.filter((check) => !check.agrees);
  return sent.unexpected === 0 ? failed : [...failed, { unexpectedAnswers: sent.unexpected }];
}

const WORKS = 'the pipeline, from signed webhooks to ClickHouse and the CRM';
const BROKEN = 'the pipeline, while components are away';

/** Signed webhooks in, events in ClickHouse and suppressions at the CRM, while services are killed. */
export function pipelineSuite(options: PipelineUnderTest): void {
  describe(WORKS, () => works(new SuitePipeline(options)));
}

/** The same while a component is away: the stack must be one that a test may break. */
export function brokenPipelineSuite(options: PipelineUnderTest): void {
  describe(BROKEN, () => survives(new SuitePipeline(options)));
}

/** Both, on one pipeline. */
export function wholePipelineSuite(options: PipelineUnderTest): void {
  describe('one pipeline', () => {
    const pipeline = new SuitePipeline(options);
    describe(WORKS, () => works(pipeline));
    describe(BROKEN, () => survives(pipeline));
  });
}

function works(pipeline: SuitePipeline): void {
  it('agrees with what was sent, to the event', async () => {
    const result = await pipeline.demo(3_000, 1);
    expect(disagreements(result)).toEqual([]);
    expect(result.totals.emitted).toBeGreaterThan(2_500);
    expect(result.totals.duplicates).toBeGreaterThan(0);
    expect(result.totals.deadLetters).toBeGreaterThan(0);
    expect(result.sent.expected.suppressions.suppressed).toBeGreaterThan(0);
  });

  it('judges a second run on the same data by itself', async () => {
    expect(disagreements(await pipeline.demo(1_000, 2))).toEqual([]);
  });

  it('loses and repeats nothing when every service is killed in the middle of traffic', async () => {
    const traffic = await pipeline.traffic(3);
    // Those that are configured: the look-ups are not.
    for (const { name } of services.filter((service) => service.name in pipeline.running.admin)) {
      const service = pipeline.running.service(name);
      const { restarts } = service;
      service.crash();
      const runsAgain = () => service.restarts > restarts && service.state === 'running';
      await waitFor(`${name} runs again`, runsAgain, 60_000);
    }
    expect(disagreements(await traffic.end())).toEqual([]);
  }, 240_000);
}

function survives(pipeline: SuitePipeline): void {
  it('takes everything while Kafka is away, and brings it through when that is back', async () => {
    const kafka = wholeKafka(pipeline.running.stack);
    const ingressIs = async (status: string) => (await pipeline.readiness('ingress')).status === status;
    const traffic = await pipeline.traffic(4);
    await kafka.stop();
    await waitFor('the ingress is degraded', () => ingressIs('degraded'), 60_000);
    const before = await pipeline.accepted();
    await waitFor('it takes requests', async () => (await pipeline.accepted()) > before + 50, 60_000);
    expect((await pipeline.readiness('ingress')).code).toBe(200);
    await kafka.start();
    const result = await traffic.end();
    expect(disagreements(result)).toEqual([]);
    expect(result.sent.uncertain).toBe(0);
    await waitFor('the ingress is well', () => ingressIs('ok'), 60_000);
  }, 240_000);
}
