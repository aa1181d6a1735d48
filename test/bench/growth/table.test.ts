import { expect, test } from 'vitest';
import { isShared } from './instances.ts';
import { growthFigures, growthLines, type Row, shortly } from './table.ts';

const row = (instances: number, events: number, bothUs: number, ids = 10_000_000): Row => ({
  ...{ instances, events, ids, rounds: 3, eventsPerSecond: 20_000.4 },
  ...{ normalizeUs: bothUs / 4, eventsUs: (bothUs * 3) / 4, bothUs },
  memory: { normalize: { peakMb: 300, anonymousMb: 200 }, events: { peakMb: 700, anonymousMb: 250 } },
});

test('a cost is compared with the step of 100,000 events of as many instances and ids, and with the same step of one instance', () => {
  const lines = growthLines([
    row(1, 100_000, 40, 0),
    row(2, 100_000, 80),
    row(1, 10_000, 60),
    row(1, 100_000, 50),
    row(1, 1_000_000, 55),
    row(2, 1_000_000, 88),
    row(4, 10_000, 90),
  ]);
  const ratios = lines.slice(1).map((line) =>
    line
      .trim()
      .split(/\s{2,}/)
      .slice(8, 10),
  );
  expect(ratios).toEqual([
    ['1.00', '1.00'],
    ['1.00', '1.60'],
    ['1.20', '1.00'],
    ['1.00', '1.00'],
    ['1.10', '1.00'],
    ['1.10', '1.60'],
    // There is no step of 100,000 to compare with.
    ['–', '1.50'],
  ]);
});

test('all columns are told, and each figure has a name', () => {
  const rows = [row(2, 1_000_000, 40)];
  const [head, line] = growthLines(rows).map((text) => text.trim().split(/\s{2,}/));
  expect(line).toHaveLength(head?.length ?? 0);
  expect(line?.slice(0, 8)).toEqual(['10M', '2', '1M', '3', '20000', '10.0', '30.0', '40.0']);
  expect(line?.slice(-2)).toEqual(['300 (200)', '700 (250)']);
  expect(growthFigures(rows)).toMatchObject({
    '10M_ids_2_instances_1M_cpu_us': 40,
    '10M_ids_2_instances_1M_events_anonymous_mb': 250,
  });
});

test('counts are told shortly, and never rounded', () => {
  expect([0, 999, 10_000, 1_500, 1_234, 2_500_000, 10_000_000, 1_000_001].map(shortly)).toEqual([
    ...['0', '999', '10k', '1.5k', '1234', '2.5M', '10M', '1000001'],
  ]);
});

test('partitions are shared when each is at one instance, and no instance has two more than another', () => {
  expect(
    isShared(
      [
        [0, 1],
        [2, 3],
      ],
      4,
    ),
  ).toBe(true);
  expect(isShared([[0, 1], [2]], 3)).toBe(true);
  expect(isShared([[0, 1, 2, 3], []], 4)).toBe(false);
  expect(
    isShared(
      [
        [0, 1],
        [1, 2],
      ],
      4,
    ),
  ).toBe(false);
  expect(isShared([[0, 1], [2]], 4)).toBe(false);
});
