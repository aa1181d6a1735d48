import type { Totals } from '@email-events/cli/status/totals';
import { describe, expect, test } from 'vitest';
import type { Expectation } from '../../simulate/expectation.ts';
import { waitUntilThrough } from './demo.ts';

const expected = { received: 3, emitted: 2, duplicates: 1, deadLettered: 0 } as Expectation;
const complete: Totals = {
  ...{ items: 3, received: 3, emitted: 2, duplicates: 1, eventsDeadLetters: 0 },
  ...{ rows: 2, rollup: 2, deadLetters: 0, sinkDeadLetters: 0 },
};
const partly: Totals = { ...complete, rows: 1, rollup: 1 };

/** Hands out one after the other, the last one for ever. */
function series<T>(...values: T[]): () => Promise<T> {
  let index = 0;
  return async () => values[Math.min(index++, values.length - 1)] as T;
}

const wait = (read: () => Promise<Totals>, lag: () => Promise<number>, quietMs = 60_000) =>
  waitUntilThrough({ expected, read, lag, signal: new AbortController().signal, pollMs: 1, quietMs });

describe('waitUntilThrough', () => {
  test('waits for the figures', async () => {
    expect(await wait(series(partly, partly, complete), series(0))).toEqual(complete);
  });

  test('figures alone are not enough while a service lags', async () => {
    const lags = [5, 1, 0];
    let asked = 0;
    await wait(series(complete), async () => lags[asked++] ?? 0);
    expect(asked).toBe(3);
  });

  test('figures that move on after they were right are not taken for the end', async () => {
    const tooMany = { ...complete, rows: 3 };
    // Right, and on being read once more not; only what is right twice in a row is the end.
    expect(await wait(series(complete, tooMany, complete, complete), series(0))).toEqual(complete);
    expect(await wait(series(complete, tooMany), series(0), 20)).toEqual(tooMany);
  });

  test('gives up, with what is there, when nothing moves', async () => {
    expect(await wait(series(partly), series(0), 20)).toEqual(partly);
  });

  test('can be called off', async () => {
    const abort = new AbortController();
    abort.abort();
    const options = { expected, read: series(partly), lag: series(0), signal: abort.signal };
    await expect(waitUntilThrough(options)).rejects.toMatchObject({ name: 'AbortError' });
  });
});
