import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runBin } from '@email-events/cli/testing';
import { runDemo } from '@email-events/dev/run/demo/demo';
import { startPipeline } from '@email-events/dev/run/pipeline';
import { createReporter } from '@email-events/dev/run/reporter';
import { createProvider, replicationOn } from '@email-events/dev/stack';
import { expect, test } from 'vitest';
import { type Collector, startCollector, type ToldSpan } from '../harness/collector.ts';
import { type SharedStack, vacantStack } from '../harness/stack.ts';

/** The shared components, as if an operator ran them: only services are started. */
const SLOW = 180_000;

test('a pipeline without a CRM starts, is ready, and brings everything through; traces tell the way from webhook to row', {
  timeout: SLOW,
}, async (context) => {
  const stack = await vacantStack(context);
  const home = await mkdtemp(join(tmpdir(), 'email-events-no-crm-'));
  context.onTestFinished(() => rm(home, { recursive: true, force: true }));
  const collector = await startCollector(context);
  const baseConfig = join(home, 'base.yaml');
  const base = {
    kafka: { groupPrefix: stack.unique('no-crm') },
    topics: { rawPartitions: 2, partitions: 2, ...replicationOn(stack.kafka) },
    sinks: { clickhouse: { database: stack.uniqueDatabase('no_crm') } },
    tracing: { url: collector.url, sample: 1, flushMs: 200 },
  };
  await writeFile(baseConfig, JSON.stringify(base));
  const { signal } = new AbortController();
  const pipeline = await startPipeline({
    ...{ home, baseConfig, anyPorts: true, services: 'processes', signal },
    provider: createProvider('external', addressesOf(stack)),
    reporter: createReporter(() => {}),
  });
  try {
    expect(pipeline.urls.receiver).toBeNull();
    const env = { EMAIL_EVENTS_HOME: home };
    const status = await runBin(['status', '--json'], { env });
    const { ready, services } = JSON.parse(status.out) as { ready: boolean; services: { name: string }[] };
    expect([status.code, ready]).toEqual([0, true]);
    expect(services.map(({ name }) => name)).toEqual(['ingress', 'normalize', 'events', 'sink-clickhouse']);
    expect(await runBin(['config', 'check'], { env })).toMatchObject({ code: 0 });
    const logs = await runBin(['logs', 'ingress', 'events', '--level', 'info', '--since', '1h'], { env });
    expect(logs.code, logs.err).toBe(0);
    for (const name of ['ingress', 'events'])
      expect(logs.out).toMatch(new RegExp(`info +${name} +started .*version=`));
    const options = { events: 500, seed: 15, quiet: true, signal, note: () => {} };
    const { checks } = await runDemo(pipeline, options);
    expect(checks.filter(({ agrees }) => !agrees)).toEqual([]);
    expect(checks.map(({ name }) => name).join()).not.toContain('CRM');
  } finally {
    await pipeline.stop();
  }
  requireTraces(collector);
});

/** Of what was sent until everything had stopped. */
function requireTraces({ spans, bodies }: Collector): void {
  const byId = new Map(spans.map((span) => [span.spanId, span]));
  const wayOf = (span: ToldSpan | undefined): string[] =>
    span ? [...wayOf(byId.get(span.parentSpanId)), `${span.service} ${span.name}`] : [];
  const rows = spans.filter(({ name }) => name === 'clickhouse');
  expect(rows.length).toBeGreaterThan(0);
  for (const row of rows)
    expect(wayOf(row)).toEqual([
      'email-events-ingress webhook',
      'email-events-normalize normalize',
      'email-events-events events',
      'email-events-sink-clickhouse clickhouse',
    ]);
  for (const { parentSpanId, traceId } of spans)
    if (parentSpanId !== '') expect(byId.get(parentSpanId)?.traceId).toBe(traceId);
  expect(spans.some(({ links }) => links.length > 0)).toBe(true);
  // Neither who was mailed, nor what proves a sender.
  expect(bodies.join('')).not.toMatch(/@|signature|authorization|secret/i);
}

function addressesOf({ kafka, registry, clickhouse }: SharedStack): { [name: string]: string } {
  const of = (name: string, { url, username, password }: SharedStack['registry']) => ({
    [`EMAIL_EVENTS_${name}_URL`]: url,
    ...(username === undefined ? {} : { [`EMAIL_EVENTS_${name}_USERNAME`]: username }),
    ...(password === undefined ? {} : { [`EMAIL_EVENTS_${name}_PASSWORD`]: password }),
  });
  return {
    EMAIL_EVENTS_KAFKA_BROKERS: kafka.brokers.join(','),
    ...of('REGISTRY', registry),
    ...of('CLICKHOUSE', clickhouse),
  };
}
