import { expect, test } from 'vitest';
import type { ClickHouse } from './connection.ts';
import { Inserts, InsertTimeout } from './insert.ts';

const rows = { table: 't', columns: ['a'], format: 'json' } as const;
const { signal } = new AbortController();

/** A server that answers an insert never, and the question whether it is there as told. */
function server(there: boolean) {
  const clickhouse = {
    insert: (_sql, _data, _settings, abort) =>
      new Promise((_, reject) => abort.addEventListener('abort', () => reject(abort.reason))),
    ping: async () => there,
  } as Partial<ClickHouse> as ClickHouse;
  return new Inserts(clickhouse, 20);
}

/** How long it was waited for. */
async function late(inserts: Inserts, token: string): Promise<number> {
  const from = performance.now();
  await expect(inserts.insert(rows, [], token, signal)).rejects.toThrow(InsertTimeout);
  return performance.now() - from;
}

test('an insert that is late at a server that is there is waited for twice as long the next time', async () => {
  const inserts = server(true);
  const waited: number[] = [];
  for (let n = 0; n < 4; n++) waited.push(await late(inserts, 'x'));
  const messages: unknown[] = [];
  await inserts.insert(rows, [], 'y', signal).catch((error) => messages.push(error.message));
  expect(messages).toEqual(['no answer after 20 ms']);
  // Never less than was said; a timer may be early by a millisecond.
  for (const [n, ms] of [20, 40, 80, 160].entries()) expect(waited[n]).toBeGreaterThan(ms - 2);
});

test('a server that is not there is not waited for any longer', async () => {
  const messages: unknown[] = [];
  const inserts = server(false);
  for (let n = 0; n < 4; n++)
    await inserts.insert(rows, [], 'x', signal).catch((error) => messages.push(error.message));
  expect(messages).toEqual(Array(4).fill('no answer after 20 ms'));
});

test('a sink that stops gets its own reason', async () => {
  const stop = new AbortController();
  const inserts = server(true);
  const inserting = inserts.insert(rows, [], 'x', stop.signal);
  stop.abort(new Error('stopping'));
  await expect(inserting).rejects.toThrow('stopping');
});
