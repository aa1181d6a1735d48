import { expect, test } from 'vitest';
import { FIGURES, type Figures, figuresOf, type Measured, readMeasured } from './measured.ts';
import { type Parameters, parametersOf } from './parameters.ts';
import { planFor } from './plan.ts';

const FIGURES_OF_TEST: Figures = {
  ...{ eventsPerRequest: 4, bodyBytes: 2_000, rawBytes: 2_400, normalizedBytes: 300, seenBytes: 20 },
  ...{ recipientStateBytes: 80, typedBytes: 400, rowBytes: 100 },
  ...{ ingressCpuUs: 100, normalizeCpuUs: 20, eventsCpuUs: 30, sinkCpuUs: 10 },
  ...{ ingressPeakMb: 400, normalizePeakMb: 300, eventsPeakMb: 500, sinkPeakMb: 480 },
};

const PARAMETERS_OF_TEST: Parameters = {
  ...{
    peakFactor: 4,
    utilisation: 0.5,
    spare: 1,
    replication: 3,
    clickhouseReplicas: 2,
    clickhouseDays: 100,
  },
  ...{ diskFill: 0.5, memoryFactor: 1.5, growth: 2, typedReaders: 2, recipientsPerDailyEvent: 0.25 },
  ...{
    idBytes: 50,
    recipientBytes: 200,
    requestOverhead: 1_000,
    rawDays: 30,
    normalizedDays: 7,
    seenDays: 6,
    eventsDays: 14,
  },
};

// Worked out by hand. 86.4 M events a day are 1,000 a second; four times as many at the peak, in 1,000 requests.
const plan = planFor(86_400_000, FIGURES_OF_TEST, PARAMETERS_OF_TEST);

test('rates', () => {
  expect(plan).toMatchObject({ averagePerSecond: 1_000, peakPerSecond: 4_000, requestsPerSecond: 1_000 });
});

test('instances: CPU at the peak by the share of a core that may be used, rounded up, and a spare one', () => {
  const found = Object.fromEntries(plan.services.map(({ name, instances }) => [name, instances]));
  // 1,000 × 100 µs = 0.1 cores; 4,000 × 20, 30, 10 µs = 0.08, 0.12, 0.04: one instance each, and one more.
  expect(found).toEqual({ ingress: 2, normalize: 2, events: 2, 'sink-clickhouse': 2 });
  const more = planFor(864_000_000, FIGURES_OF_TEST, PARAMETERS_OF_TEST);
  // Ten times as much: 1, 0.8, 1.2 and 0.4 cores by half a core each.
  expect(more.services.map(({ instances }) => instances)).toEqual([3, 3, 4, 2]);
  expect(more.services.map(({ cores }) => Number(cores.toFixed(6)))).toEqual([1, 0.8, 1.2, 0.4]);
  const bare = planFor(864_000_000, FIGURES_OF_TEST, { ...PARAMETERS_OF_TEST, spare: 0, utilisation: 1 });
  expect(bare.services.map(({ instances }) => instances)).toEqual([1, 1, 2, 1]);
});

test('partitions: twice the instances that read them, in steps of six', () => {
  expect([plan.rawPartitions, plan.partitions]).toEqual([6, 6]);
  const more = planFor(864_000_000, FIGURES_OF_TEST, PARAMETERS_OF_TEST);
  // Three of normalize are 6 partitions of email.raw; four of events are 8, so 12.
  expect([more.rawPartitions, more.partitions]).toEqual([6, 12]);
  // 8.64 G: 8 cores of normalize, 12 of events: 17 and 25 instances, 34 and 50 partitions.
  const most = planFor(8_640_000_000, FIGURES_OF_TEST, PARAMETERS_OF_TEST);
  expect([most.rawPartitions, most.partitions]).toEqual([36, 54]);
});

test('memory: the largest seen by the factor', () => {
  expect(plan.services.map(({ memoryBytes }) => memoryBytes / 1e6)).toEqual([600, 450, 750, 720]);
});

test('disk: by retention, with replicas, half of it left free', () => {
  const terabytes = (bytes: number | undefined) => Number(((bytes ?? Number.NaN) / 1e12).toFixed(6));
  const byTopic = Object.fromEntries(
    Object.entries(plan.disk.kafkaByTopic).map(([topic, bytes]) => [topic, terabytes(bytes)]),
  );
  expect(byTopic).toEqual({
    // 21.6 M requests × 2,400 B × 30 days = 1.5552 TB, × 3 ÷ 0.5
    'email.raw': 9.3312,
    // 86.4 M × 300 B × 7 = 0.18144 TB, × 6
    'email.internal.normalized': 1.08864,
    // 86.4 M × 20 B × 6 = 0.010368 TB, × 6
    'email.internal.seen': 0.062208,
    // 21.6 M recipients × 200 B, twice = 0.00864 TB, × 6
    'email.internal.recipient-state': 0.05184,
    // 86.4 M × 400 B × 14 = 0.48384 TB, × 6
    'email.events.*': 2.90304,
  });
  expect(terabytes(plan.disk.kafka)).toBe(13.436928);
  // 86.4 M × 100 B × 100 days = 0.864 TB, × 2 ÷ 0.5
  expect(terabytes(plan.disk.clickhouse)).toBe(3.456);
  // 86.4 M × 6 days × 1.5 × 50 B = 0.03888 TB; 21.6 M × 200 B = 0.00432 TB; ÷ 0.5
  expect(terabytes(plan.disk.state)).toBe(0.0864);
});

test('network at the peak', () => {
  const { webhooks, kafkaIn, kafkaReplication, kafkaOut, clickhouse } = plan.network;
  // 1,000 requests × 3,000 B
  expect(webhooks).toBe(3e6);
  // 1,000 × 2,400 + 4,000 × (300 + 400 + 20 + 80)
  expect(kafkaIn).toBe(5.6e6);
  expect(kafkaReplication).toBe(11.2e6);
  // 1,000 × 2,400 + 4,000 × 300 + two readers of 4,000 × 400
  expect(kafkaOut).toBe(6.8e6);
  expect(clickhouse).toBe(1.6e6);
});

test('parameters have defaults, and are refused when they are none', () => {
  expect(parametersOf({ peakFactor: 8 })).toMatchObject({ peakFactor: 8, replication: 3 });
  expect(parametersOf({ spare: 0 }).spare).toBe(0);
  expect(() => parametersOf({ peakFactors: 8 })).toThrow('peakFactors');
  expect(() => parametersOf({ diskFill: 0 })).toThrow('diskFill');
  expect(() => parametersOf({ replication: Number.NaN })).toThrow('replication');
});

test('each figure is measured once, and says by what, when and beside whom', () => {
  const measured = readMeasured();
  for (const run of measured.runs) {
    expect(run.command).toMatch(/^npm run bench -- \w/);
    expect(run.date).toMatch(/^20\d\d-\d\d-\d\d$/);
    expect(run.noise.length * run.peer.length).toBeGreaterThan(0);
  }
  const [first, ...others] = measured.runs;
  const changed = (figures: object): Measured =>
    ({
      ...measured,
      runs: [{ ...first, figures: { ...first?.figures, ...figures } }, ...others],
    }) as Measured;
  const [name = ''] = Object.keys(others[0]?.figures ?? {});
  expect(() => figuresOf(changed({ [name]: 1 }))).toThrow(`there twice: ${name}`);
  expect(() => figuresOf(changed({ speed: 1 }))).toThrow('speed is no figure');
  expect(() => figuresOf({ ...measured, runs: others })).toThrow('not measured');
  expect(Object.keys(figuresOf(measured)).sort()).toEqual(Object.keys(FIGURES).sort());
});
