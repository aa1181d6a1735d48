import { MAX_NOTE } from '@email-events/core';
import { expect, test } from 'vitest';
import { Counts, OTHERS, type SourceCounts } from './counts.ts';

const NOW = Date.UTC(2026, 0, 1);

const counts = (more: Partial<SourceCounts> = {}): SourceCounts => ({
  ...{ requests: 1, putBack: 0, normalized: 3, refused: 1 },
  ...more,
});

test('a note says what was counted, whoever reads it next', () => {
  const first = Counts.of(null, NOW).plus([['shop', counts()]]);
  const second = Counts.of(first.note(), NOW + 5_000).plus([
    ['news', counts({ putBack: 2 })],
    ['shop', counts({ requests: 1_000_000 })],
  ]);
  expect(new Map(Counts.of(second.note(), NOW + 5_000).sources)).toEqual(
    new Map([
      ['shop', { requests: 1_000_001, putBack: 0, normalized: 6, refused: 2 }],
      ['news', { requests: 1, putBack: 2, normalized: 3, refused: 1 }],
    ]),
  );
  expect([...first.sources]).toEqual([['shop', counts()]]);
  expect(Counts.of(second.note(), NOW + 60_000).since).toBe(NOW / 1_000);
});

test.each([
  null,
  '',
  '1',
  '2 z shop:1:2:3:4',
  '1 z shop:1:2',
  '1 z shop:1:2:3:4:5',
  '1 z shop:1:2:3:!',
  '1 ! shop:1:2:3:4',
  '1 z shop:1:2:3:-4',
])('of the note %j nothing was counted', (note) => {
  expect([...Counts.of(note, NOW).sources]).toEqual([]);
  expect(Counts.of(note, NOW).since).toBe(NOW / 1_000);
});

test('sources for which there is no room count together, and what is counted stays', () => {
  const huge = 36 ** 8 - 1;
  const all = counts({ requests: huge, putBack: huge, normalized: huge, refused: huge });
  const one = counts({ requests: 1, putBack: 0, normalized: 0, refused: 0 });
  const names = Array.from({ length: 500 }, (_, i) => `source-${i}`);
  const full = Counts.of(null, NOW).plus(names.map((name) => [name, one] as const));
  const kept = [...full.sources].map(([source]) => source);
  expect(kept).toEqual([...names.slice(0, kept.length - 1), OTHERS]);
  expect(kept.length).toBeGreaterThan(80);
  const requests = [...full.sources].reduce((sum, [, own]) => sum + own.requests, 0);
  expect(requests).toBe(500);
  // As long as a note can ever become.
  const largest = Counts.of(null, NOW).plus(kept.map((name) => [name, all] as const));
  expect(largest.note().length).toBeLessThanOrEqual(MAX_NOTE);
  const later = Counts.of(full.note(), NOW + 5_000).plus([['late', one]]);
  expect(new Map(later.sources).get(OTHERS)?.requests).toBe(500 - (kept.length - 1) + 1);
});

test('what is no name of a source cannot break the note', () => {
  const of = Counts.of(null, NOW).plus([['no name: 1:2 3', counts()]]);
  expect([...Counts.of(of.note(), NOW + 5_000).sources]).toEqual([[OTHERS, counts()]]);
});
