import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CrmError, type CrmFailure, type SuppressedPage } from '@email-events/sink-crm';
import { expect, onTestFinished, test } from 'vitest';
import { listAll, patiently } from './listing.ts';
import { ListingProgress } from './progress.ts';

const PAGES = ['a', 'b', 'c'];
const failed = (failure: CrmFailure, afterMs?: number) =>
  new CrmError(failure, 'SINK_CRM_THROTTLED', 'as the test wants it', { afterMs });

/** A CRM of three pages; `faults` are thrown instead of the next pages. */
function setUp(...faults: (CrmError | undefined)[]) {
  const folder = mkdtempSync(join(tmpdir(), 'crm-listing-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const stop = new AbortController();
  const asked: (string | undefined)[] = [];
  const waits: number[] = [];
  const listed: string[] = [];
  const adapter = {
    async *suppressed(_: AbortSignal, after?: string): AsyncGenerator<SuppressedPage> {
      for (let at = Number(after ?? 0); at < PAGES.length; at++) {
        asked.push(at === 0 ? undefined : String(at));
        const fault = faults.shift();
        if (fault) throw fault;
        const next = at + 1 < PAGES.length ? String(at + 1) : undefined;
        yield { contacts: [{ recipient: `${PAGES[at]}@example.com` }], next };
      }
    },
  };
  const patience = {
    signal: stop.signal,
    onWait: () => {},
    wait: async (ms: number) => void waits.push(ms),
  };
  const start = { consumer: 'sink-crm', account: 'one', startedAt: Date.now(), committed: [] };
  const run = async () => {
    const take = ({ recipient }: { recipient: string }) => void listed.push(recipient);
    const progress = await ListingProgress.open(join(folder, 'listing'), start, { fresh: false, take });
    await listAll(adapter, progress, patience, () => {});
  };
  return { run, asked, waits, listed, stop, patience };
}

const ALL = PAGES.map((name) => `${name}@example.com`);

test('too many calls: it waits as long as the CRM says, and goes on with the page that was refused', async () => {
  const { run, asked, waits, listed } = setUp(undefined, failed('throttled', 90_000), failed('throttled'));
  await run();
  expect(listed).toEqual(ALL);
  expect(asked).toEqual([undefined, '1', '1', '1', '2']);
  expect(waits).toHaveLength(2);
  expect(waits[0]).toBe(90_000);
  expect(waits[1]).toBeGreaterThan(0);
});

test('one that goes on refusing is given up, and the next run goes on', async () => {
  const faults = Array.from({ length: 11 }, () => failed('throttled', 0));
  const { run, asked, waits, listed } = setUp(undefined, ...faults);
  await expect(run()).rejects.toMatchObject({ failure: 'throttled' });
  expect(waits).toHaveLength(10);
  // Never at once, whatever it says.
  for (const ms of waits) expect(ms).toBeGreaterThan(0);
  asked.length = 0;
  listed.length = 0;
  await run();
  expect(asked).toEqual(['1', '2']);
  expect(listed).toEqual(ALL);
});

test('what does not pass by itself is told at once', async () => {
  const { run, waits } = setUp(failed('misconfigured'));
  await expect(run()).rejects.toMatchObject({ failure: 'misconfigured' });
  expect(waits).toEqual([]);
});

test('a place that the CRM knows no more: the listing begins again, once', async () => {
  const world = setUp(undefined, failed('misconfigured'), failed('rejected'));
  await expect(world.run()).rejects.toMatchObject({ failure: 'misconfigured' });
  world.asked.length = 0;
  await world.run();
  expect(world.asked).toEqual(['1', undefined, '1', '2']);
  const again = setUp(failed('rejected'));
  await expect(again.run()).rejects.toMatchObject({ failure: 'rejected' });
});

test('a stop ends the waiting', async () => {
  const { stop, patience } = setUp();
  const call = patiently(
    async () => {
      throw failed('unavailable');
    },
    { ...patience, wait: async () => stop.abort(new Error('stopping')) },
  );
  await expect(call).rejects.toThrow('stopping');
});
