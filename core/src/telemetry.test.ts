import { afterEach, expect, test, vi } from 'vitest';
import { Secret } from './config/index.ts';
import {
  Counter,
  combinedMetrics,
  createLogger,
  createMetrics,
  digestOf,
  Gauge,
  mergedMetrics,
  Registry,
} from './telemetry.ts';

afterEach(() => vi.restoreAllMocks());

test('the level decides what is logged', () => {
  const log = createLogger('ingress', 'warn');
  expect(['debug', 'info', 'warn', 'error'].map((level) => log.isLevelEnabled(level))).toEqual([
    false,
    false,
    true,
    true,
  ]);
});

test('an event is one line of JSON with the service, the level by name and the time in UTC', () => {
  // pino hands a line to its stream in one piece.
  const log = createLogger('ingress', 'info');
  const stream = (log as unknown as { [key: symbol]: { write(line: string): void } })[
    Object.getOwnPropertySymbols(log).find(({ description }) => description === 'pino.stream') ?? Symbol()
  ];
  const write = vi.spyOn(stream as { write(line: string): void }, 'write').mockImplementation(() => {});
  log.warn({ code: 'KAFKA_UNREACHABLE', partition: 3 }, 'no\nbroker');
  expect(write).toHaveBeenCalledOnce();
  const line = write.mock.calls[0]?.[0] ?? '';
  expect(line.trimEnd()).not.toContain('\n');
  const { time, ...rest } = JSON.parse(line);
  expect(rest).toEqual({
    level: 'warn',
    service: 'ingress',
    code: 'KAFKA_UNREACHABLE',
    partition: 3,
    msg: 'no\nbroker',
  });
  expect(time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
});

test('a scrape says which release and configuration run, and no metric of Node passes for a counter', async () => {
  const text = await createMetrics('events', { kafka: { brokers: ['a:1'] } }).metrics();
  const digest = digestOf({ kafka: { brokers: ['a:1'] } });
  expect(text).toMatch(
    new RegExp(
      `^email_events_build_info\\{version="\\d+\\.\\d+\\.\\d+",node="${process.versions.node}",config="${digest}",service="events"\\} 1$`,
      'm',
    ),
  );
  expect(digestOf({ kafka: { brokers: ['a:2'] } })).not.toBe(digest);
  const gauges = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].filter(
    ([, name, type]) => name?.endsWith('_total') && type !== 'counter',
  );
  expect(gauges).toEqual([]);
});

test('the digest of a configuration does not depend on its secrets', () => {
  const one = digestOf({ registry: { password: new Secret('one') } });
  expect(digestOf({ registry: { password: new Secret('another') } })).toBe(one);
});

test('several registries are one text: each metric once, with the samples of all', async () => {
  const registryOf = (labels: object, names: readonly string[]) => {
    const registry = new Registry();
    registry.setDefaultLabels(labels);
    for (const name of names) new Counter({ name, help: `Says\n${name}.`, registers: [registry] }).inc();
    return registry;
  };
  const [a, b] = [
    registryOf({ part: 'a' }, ['both', 'first']),
    registryOf({ part: 'b' }, ['second', 'both']),
  ];
  const text = await combinedMetrics(a, [b]).metrics();
  expect(text).toBe(
    [
      ...['# HELP both Says\\nboth.', '# TYPE both counter', 'both{part="a"} 1', 'both{part="b"} 1'],
      ...['# HELP first Says\\nfirst.', '# TYPE first counter', 'first{part="a"} 1'],
      ...['# HELP second Says\\nsecond.', '# TYPE second counter', 'second{part="b"} 1', ''],
    ].join('\n'),
  );
});

test('metrics of several processes are those of one', async () => {
  const one = (n: number) => {
    const registry = createMetrics('ingress');
    new Counter({ name: 'x_total', help: 'x', labelNames: ['code'], registers: [registry] }).inc(
      { code: 'OK' },
      n,
    );
    new Gauge({ name: 'x_up', help: 'x', aggregator: 'min', registers: [registry] }).set(n % 2);
    new Gauge({ name: 'x_seconds', help: 'x', aggregator: 'max', registers: [registry] }).set(n);
    return registry.getMetricsAsJSON();
  };
  const text = await mergedMetrics([await one(2), await one(5)]);
  const shown = (name: string) =>
    new RegExp(`^${name}\\{.*service="ingress".*\\} (\\S+)$`, 'm').exec(text)?.[1];
  expect(['x_total', 'x_up', 'x_seconds', 'email_events_build_info'].map(shown)).toEqual([
    '7',
    '0',
    '5',
    '1',
  ]);
  expect(Number(shown('process_start_time_seconds'))).toBeGreaterThan(1e9);
  expect(text.match(/^x_total/gm)).toHaveLength(1);
});
