import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RecipientState } from '@email-events/schemas';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { stateCodec } from '../../testing/codecs.ts';
import { eventOf, START } from '../../testing/records.ts';
import { NO_STATE } from '../suppression/accounts.ts';
import { learn } from '../suppression/learn.ts';
import { PartitionStore } from './partition-store.ts';
import { STORE_FILE, usedPages } from './store-file.ts';
import { mostPages } from './store-room.ts';

const HOUR = 3_600_000;
const IDENTITY = { clusterId: 'c', application: 'a', partition: 3 };
const codec = stateCodec();
const SMALL = learn(NO_STATE, eventOf('bounced'));
const LARGE = learn(NO_STATE, eventOf('bounced', { diagnostic: 'd'.repeat(7_000) }));

let path: string;
let store: PartitionStore;
beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), 'store-room-'));
  store = new PartitionStore(path, IDENTITY, 8 * HOUR, codec);
  onTestFinished(async () => {
    await store.close();
    rmSync(path, { recursive: true, force: true });
  });
});
const file = () => join(path, STORE_FILE);

let now = START;
let recipient = 0;
/** Puts random ids, of which any may hit any page, and states of recipients. Returns pages before, and what it put. */
function put(ids: number, recipients: number, state: RecipientState) {
  const before = usedPages(file()).pages;
  const { positions, totals } = store;
  const states = new Map(
    Array.from({ length: recipients }, () => [`${(recipient++ * 7_919) % 3_001}@example.com`, state]),
  );
  store.expire(now);
  store.apply({
    ...{ from: positions, to: positions, totals, recipients: states },
    ids: [{ seenAt: now, bytes: randomBytes(16 * ids) }],
  });
  const bytes = [...states.values()].reduce((sum, each) => sum + codec.encode(each).length, 0);
  return { before, puts: { ids, recipients: states.size, bytes } };
}

test('no change of a store takes more than the room that was made for it', () => {
  expect(codec.encode(LARGE).length).toBeGreaterThan(500);
  let largest = 0;
  const changes = [...Array(40).keys()].flatMap((n) => [
    [1 + n * 3, 0, SMALL] as const,
    [2_000, 500, SMALL] as const,
    [0, 300, LARGE] as const,
    [8_192, 0, SMALL] as const,
  ]);
  for (const [ids, recipients, state] of changes) {
    now += HOUR / 10;
    const { before, puts } = put(ids, recipients, state);
    const { pages, pageSize } = usedPages(file());
    expect(pages - before).toBeLessThanOrEqual(mostPages(before, puts));
    expect(statSync(file()).size).toBeGreaterThanOrEqual(pages * pageSize);
    largest = Math.max(largest, (pages - before) / mostPages(before, puts));
  }
  // The bound is near enough to what there is.
  expect(largest).toBeGreaterThan(0.3);
});

test('a file has no more room than a few changes need', () => {
  for (let n = 0; n < 50; n++) put(1_000, 0, SMALL);
  const { pages, pageSize } = usedPages(file());
  expect(statSync(file()).size).toBeLessThan(
    (pages + mostPages(pages, { ids: 1_000, recipients: 0, bytes: 0 })) * pageSize + 1,
  );
});
