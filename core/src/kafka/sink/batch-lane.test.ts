import { expect, test } from 'vitest';
import { each, laneOf, lettersSink } from '../testing/sink-lane.ts';
import { DELIVERED, type SinkVerdict } from './sink.ts';

const again = (more: object = {}): SinkVerdict => ({ outcome: 'retry', code: 'LATER', afterMs: 1, ...more });

test('a batch is written piece by piece, each under its own token, and announced with its cut', async () => {
  const inserts: [string, readonly string[]][] = [];
  const world = laneOf(
    lettersSink((token, texts) => {
      inserts.push([token, texts]);
      return DELIVERED;
    }),
  );
  world.add('a1', 'b1', 'a2');
  await world.drain();
  expect(inserts.map(([, texts]) => texts)).toEqual([['a1', 'a2'], ['b1']]);
  const [id] = inserts[0]?.[0].split('/') ?? [];
  expect(inserts.map(([token]) => token)).toEqual([`${id}/a`, `${id}/b`]);
  expect(world.commits).toEqual([
    { offset: 0, metadata: 'i2 n0 3 1 letter-1' },
    { offset: 3, metadata: null },
  ]);
});

test('only pieces that have not ended are repeated, and these unchanged', async () => {
  const inserts: string[] = [];
  let failures = 2;
  const world = laneOf(
    lettersSink((token, texts) => {
      inserts.push(`${token.split('/')[1]}:${texts.join()}`);
      return texts[0] === 'b1' && failures-- > 0 ? again() : DELIVERED;
    }),
  );
  world.add('a1', 'b1', 'c1', 'b2');
  await world.drain();
  expect(inserts).toEqual(['a:a1', 'b:b1,b2', 'c:c1', 'b:b1,b2', 'b:b1,b2']);
  expect(world.reports).toEqual(['LATER', 'LATER', undefined]);
});

test('pieces that keep failing do not keep the others of their batch from being written', async () => {
  const inserts: string[] = [];
  let tries = 0;
  const world = laneOf(
    lettersSink((_, [text = '']) => {
      inserts.push(text);
      if (text === 'c' || text === 'd') return DELIVERED;
      return ++tries < 12 ? again() : DELIVERED;
    }),
  );
  world.add('a', 'b', 'c', 'd');
  await world.drain();
  expect(inserts.slice(0, 4)).toEqual(['a', 'b', 'b', 'c']);
  expect(inserts.filter((text) => text === 'd')).toHaveLength(1);
  expect(inserts.indexOf('d')).toBeLessThan(8);
});

test('what was announced is cut as it was announced: whole by the version before, by name since', async () => {
  for (const [committed, tokens] of [
    ['i1 old 3 1', ['all']],
    ['i2 old 3 1 letter-1', ['a', 'b']],
  ] as const) {
    const seen: string[] = [];
    const world = laneOf(
      lettersSink((token) => {
        seen.push(token);
        return DELIVERED;
      }),
      { committed },
    );
    world.add('a1', 'b1', 'a2');
    await world.drain();
    expect(seen.map((token) => token.split('/')[1])).toEqual(tokens);
    // Nothing is announced anew.
    expect(world.commits).toEqual([{ offset: 3, metadata: null }]);
  }
});

test('a cut that is not known here stops the lane before anything is written', async () => {
  const world = laneOf({ write: each() }, { committed: 'i2 old 2 1 letter-1' });
  world.add('a1', 'b1');
  await expect(world.drain()).rejects.toMatchObject({ code: 'SINK_CUT_UNKNOWN' });
  expect(world.commits).toEqual([]);
});

test('a batch has few pieces, whatever its records: it is cut off before, and nothing is lost or repeated', async () => {
  const rows: string[] = [];
  const batches = new Map<string, number>();
  const world = laneOf(
    lettersSink((token, texts) => {
      rows.push(...texts);
      const id = token.split('/')[0] ?? '';
      batches.set(id, (batches.get(id) ?? 0) + 1);
      return DELIVERED;
    }),
    { batchRows: 1_000 },
  );
  const texts = Array.from({ length: 500 }, (_, n) => `${String.fromCharCode(0x4e00 + n)}${n}`);
  world.add(...texts);
  await world.drain();
  expect(rows).toEqual(texts);
  expect(Math.max(...batches.values())).toBeLessThanOrEqual(256);
  expect(batches.size).toBeLessThan(20);
});

test('after a batch that was too much the next one is smaller, then larger again', async () => {
  const sizes: number[] = [];
  let slow = true;
  const world = laneOf(
    {
      write: async ({ records }) => {
        sizes.push(records.length);
        const verdict = slow ? again({ smaller: true }) : DELIVERED;
        slow = false;
        return records.map(() => verdict);
      },
    },
    { batchRows: 8 },
  );
  world.add(...Array.from({ length: 24 }, (_, n) => `${n}`));
  await world.drain();
  // The one that was begun stays as it is.
  expect(sizes).toEqual([8, 8, 4, 8, 4]);
});

test('a record that is tried again lets those behind it pass, where the sink takes record by record', async () => {
  const seen: string[][] = [];
  const world = laneOf({
    byRecord: true,
    write: async ({ records }) => {
      const texts = records.map(({ value }) => value ?? '');
      seen.push(texts);
      if (seen.length === 1) world.add('behind');
      return texts.map((text) => (text === 'slow' && seen.length < 3 ? again() : DELIVERED));
    },
  });
  world.add('slow');
  await world.drain();
  expect(seen).toEqual([['slow'], ['slow', 'behind'], ['slow', 'behind']]);
  expect(world.commits.at(-1)).toEqual({ offset: 2, metadata: null });
});

test('while most of a batch waits, it does not grow', async () => {
  let tries = 0;
  const sizes: number[] = [];
  const world = laneOf(
    {
      byRecord: true,
      write: async ({ records }) => {
        sizes.push(records.length);
        return records.map(() => (++tries < 9 ? again() : DELIVERED));
      },
    },
    { batchRows: 4 },
  );
  world.add('a', 'b', 'c', 'd', 'e');
  await world.drain();
  expect(sizes).toEqual([4, 4, 4, 1]);
});

test.each([
  [true, 'is aborted'],
  [false, 'goes on, since a batch is all or nothing'],
])('byRecord %s: a write whose lane is lost %s', async (byRecord) => {
  let aborted: boolean | undefined;
  const world = laneOf({
    byRecord,
    async write({ records }, signal) {
      world.lose();
      aborted = signal.aborted;
      return records.map(() => (signal.aborted ? { outcome: 'retry', code: 'SINK_UNAVAILABLE' } : DELIVERED));
    },
  });
  world.add('a', 'b');
  await world.lane.run();
  expect(aborted).toBe(byRecord);
});
