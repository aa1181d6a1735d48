import { SchemaError } from '@email-events/schemas';
import { expect, test } from 'vitest';
import { each, laneOf, lettersSink } from '../testing/sink-lane.ts';
import { DELIVERED, type SinkVerdict } from './sink.ts';

const isBad = (text: string) => text.includes('bad');
function explode(text: string): string {
  if (isBad(text)) throw new TypeError(`cannot take ${text}`);
  return text;
}

function takes(text: string): SinkVerdict {
  explode(text);
  return DELIVERED;
}

test('a record of which a sink with pieces fails is found without writing, and the others are written once', async () => {
  const rows: string[] = [];
  const world = laneOf({
    ...lettersSink((_, texts) => {
      rows.push(...texts);
      return DELIVERED;
    }, explode),
    sourceOf: () => 'one',
  });
  world.add('a', 'b', 'bad', 'c', 'd', 'bad-too');
  await world.drain();
  expect(rows.toSorted()).toEqual(['a', 'b', 'c', 'd']);
  expect(world.letters.map(({ entry, code }) => [entry.offset, code])).toEqual([
    [2, 'SINK_RECORD_FAILED'],
    [5, 'SINK_RECORD_FAILED'],
  ]);
  expect(world.letters[0]?.message).not.toContain('bad');
  expect(world.commits.at(-1)).toEqual({ offset: 6, metadata: null });
});

test('with it, a batch of many pieces has few as well', async () => {
  const batches = new Map<string, number>();
  const world = laneOf(
    lettersSink((token) => {
      const id = token.split('/')[0] ?? '';
      batches.set(id, (batches.get(id) ?? 0) + 1);
      return DELIVERED;
    }, explode),
    { batchRows: 1_000 },
  );
  world.add(
    ...Array.from({ length: 300 }, (_, n) => `${String.fromCharCode(0x4e00 + n)}${n === 70 ? 'bad' : n}`),
  );
  await world.drain();
  expect(world.letters.map(({ entry }) => entry.offset)).toEqual([70]);
  expect(Math.max(...batches.values())).toBeLessThanOrEqual(256);
});

test('alone in its batch it is set aside if a good record is taken', async () => {
  const example = { topic: 'in', key: null, value: 'good', timestamp: 0, attempts: 0 };
  const world = laneOf({ ...lettersSink(() => DELIVERED, explode), example });
  world.add('bad');
  await world.drain();
  expect(world.letters).toHaveLength(1);
});

test('where a good record fails too, the sink halts and nothing is set aside', async () => {
  const example = { topic: 'in', key: null, value: 'good', timestamp: 0, attempts: 0 };
  const broken = () => {
    throw new TypeError('broken');
  };
  const world = laneOf({ ...lettersSink(() => DELIVERED, broken), example });
  world.add('a', 'b');
  await expect(world.drain()).rejects.toMatchObject({ code: 'SINK_UNEXPECTED', disposition: 'fatal' });
  expect(world.letters).toEqual([]);
});

test('where records of several sources fail, the sink halts and nothing is set aside', async () => {
  const world = laneOf({
    ...lettersSink(() => DELIVERED, explode),
    sourceOf: ({ value }) => (value ?? '').slice(0, 3),
  });
  world.add('a', '1: bad', 'b', '2: bad');
  await expect(world.drain()).rejects.toMatchObject({ code: 'SINK_UNEXPECTED' });
  expect(world.letters).toEqual([]);
  expect(world.commits).toEqual([{ offset: 0, metadata: 'i2 n0 4 1 letter-1' }]);
});

test('a sink that takes record by record is asked by parts', async () => {
  const rows = new Set<string>();
  const world = laneOf({
    byRecord: true,
    write: each((text) => {
      rows.add(explode(text));
      return DELIVERED;
    }),
  });
  world.add('a', 'b', 'bad', 'c');
  await world.drain();
  expect([...rows]).toEqual(['a', 'b', 'c']);
  expect(world.letters.map(({ entry }) => entry.offset)).toEqual([2]);
});

test('alone there, it waits for others to tell it from the sink; when nothing passes, the sink halts', async () => {
  let tries = 0;
  const world = laneOf({
    byRecord: true,
    write: each((text) => {
      if (++tries === 4) world.add('honest');
      explode(text);
      return DELIVERED;
    }),
  });
  world.add('bad');
  await world.drain();
  expect(world.letters.map(({ entry }) => entry.offset)).toEqual([0]);

  const alone = laneOf({ byRecord: true, write: each(takes) });
  alone.add('bad');
  await expect(alone.drain()).rejects.toMatchObject({ code: 'SINK_UNEXPECTED' });
  expect(alone.letters).toEqual([]);
});

test('a sink that cannot be asked by parts halts rather than try for ever', async () => {
  let tries = 0;
  const world = laneOf({
    write: each((text) => {
      tries += 1;
      return takes(text);
    }),
  });
  world.add('bad');
  await expect(world.drain()).rejects.toMatchObject({ code: 'SINK_UNEXPECTED' });
  expect(tries).toBe(3);
});

test('what fails a few times and then passes is no record\u2019s fault', async () => {
  let tries = 0;
  const world = laneOf({
    write: each(() => {
      if (++tries < 3) throw new TypeError('now and then');
      return DELIVERED;
    }),
  });
  world.add('a');
  await world.drain();
  expect(world.letters).toEqual([]);
});

test('an outage that has a code, whatever its cause, sets no record aside: the batch is tried until it is over', async () => {
  let attempts = 0;
  const encode = (text: string) => {
    attempts++;
    if (attempts > 40) return text;
    throw new SchemaError('REGISTRY_UNREACHABLE', 'no answer', { cause: new Error('status 400') });
  };
  const world = laneOf({
    ...lettersSink(() => DELIVERED, encode),
    sourceOf: () => 'one',
  });
  world.add('a');
  await world.drain();
  expect(world.letters).toEqual([]);
  expect(attempts).toBeGreaterThan(40);
});

test.each(['record by record', 'with pieces'])('the search ends with the lane: %s', async (how) => {
  const tried: number[] = [];
  const fails = (size: number): never => {
    tried.push(size);
    // The first half is being tried: the lane goes to another instance.
    if (size === 4) world.lose();
    throw new TypeError('cannot take any');
  };
  const sink =
    how === 'with pieces'
      ? {
          ...lettersSink(() => DELIVERED),
          prepare: async (records: readonly unknown[]) => fails(records.length),
        }
      : {
          byRecord: true,
          write: async ({ records }: { records: readonly unknown[] }) => fails(records.length),
        };
  const world = laneOf({ ...sink, sourceOf: () => 'one' });
  world.add('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h');
  await world.drain();
  expect(tried.filter((size) => size < 4)).toEqual([]);
  expect(tried.filter((size) => size === 4)).toHaveLength(1);
  expect(world.letters).toEqual([]);
});
