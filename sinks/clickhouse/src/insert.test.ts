import { expect, test } from 'vitest';
import type { ClickHouse } from './connection.ts';
import { Inserts, InsertTimeout } from './insert.ts';

const rows = { key: 't', table: 't', columns: ['a'], chunks: [], indexes: [] };
const { signal } = new AbortController();

/** A server that answers an insert never, and the question whether it is there as told. Notes how long it was waited for. */
function server(there: boolean) {
  const waited: number[] = [];
  const clickhouse = {
    insert: (_sql, _data, _settings, abort) =>
      new Promise((_, reject) => {
        const from = performance.now();
        abort.addEventListener('abort', () => {
          waited.push(performance.now() - from);
          reject(abort.reason);
        });
      }),
    ping: async () => there,
  } as Partial<ClickHouse> as ClickHouse;
  return { inserts: new Inserts(clickhouse, 20), waited };
}

const late = (inserts: Inserts, token: string) =>
  expect(inserts.insert(rows, [], token, signal)).rejects.toThrow(InsertTimeout);

test('an insert that is late at a server that is there is waited for twice as long the next time', async () => {
  const { inserts, waited } = server(true);
  for (let n = 0; n < 4; n++) await late(inserts, 'x');
  await late(inserts, 'y');
  // Never less than was said; a timer may be early by a millisecond.
  for (const [n, ms] of [20, 40, 80, 160].entries()) expect(waited[n]).toBeGreaterThan(ms - 2);
});

test('a server that is not there is not waited for any longer', async () => {
  const messages: unknown[] = [];
  const { inserts } = server(false);
  for (let n = 0; n < 4; n++)
    await inserts.insert(rows, [], 'x', signal).catch((error) => messages.push(error.message));
  expect(messages).toEqual(Array(4).fill('no answer after 20 ms'));
});

test('a sink that stops gets its own reason', async () => {
  const stop = new AbortController();
  const { inserts } = server(true);
  const inserting = inserts.insert(rows, [], 'x', stop.signal);
  stop.abort(new Error('stopping'));
  await expect(inserting).rejects.toThrow('stopping');
});
