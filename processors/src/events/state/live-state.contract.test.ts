import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { stateCodec } from '../../testing/codecs.ts';
import { eventOf, START } from '../../testing/records.ts';
import { NO_STATE } from '../suppression/accounts.ts';
import { learn } from '../suppression/learn.ts';
import { LiveState } from './live-state.ts';
import { PartitionStore } from './partition-store.ts';
import { diskFull } from './store-file.ts';

const HOUR = 3_600_000;
const WINDOW = 8 * HOUR;
const IDENTITY = { clusterId: 'c', application: 'a', partition: 1 };
const STATE = learn(NO_STATE, eventOf('bounced'));
const idOf = (n: number) => n.toString(16).padStart(32, '0');

let path: string;
let store: PartitionStore;
let live: LiveState;
beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), 'live-state-'));
  store = new PartitionStore(path, IDENTITY, WINDOW, stateCodec());
  live = new LiveState(store);
  onTestFinished(async () => {
    await store.close();
    rmSync(path, { recursive: true, force: true });
  });
});

let offset = 0;
function remember(numbers: readonly number[], { seenAt = START, recipients = [] as string[] } = {}) {
  const received = live.totals.received + numbers.length;
  offset++;
  live.remember({
    ids: new Set(numbers.map(idOf)),
    seenAt,
    recipients: new Map(recipients.map((key) => [key, STATE])),
    totals: { received, emitted: received, duplicates: 0, deadLettered: 0, erased: 0 },
    seenOffset: offset,
    ...(recipients.length > 0 && { recipientStateOffset: offset }),
  });
}
const inStore = (n: number) => store.has(Buffer.from(idOf(n), 'hex'));
const upTo = (count: number, from = 0) => Array.from({ length: count }, (_, i) => from + i);

test('what a transaction adds is known at once, and counted, before the store has it', () => {
  expect(live.recipient('a@example.com')).toBeUndefined();
  remember([1, 2], { recipients: ['a@example.com'] });
  expect([live.has(idOf(1)), live.has(idOf(3)), inStore(1)]).toEqual([true, false, false]);
  expect(live.recipient('a@example.com')).toEqual(STATE);
  expect(live.totals.received).toBe(2);
  expect(live.size).toMatchObject({ ids: 2, recipients: 1 });
  expect(store.positions).toEqual({ seen: -1, recipientState: -1 });
});

test('a recipient that the store has is counted once, however often it changes', () => {
  live.recipient('a@example.com');
  remember([1], { recipients: ['a@example.com'] });
  live.recipient('a@example.com');
  remember([2], { recipients: ['a@example.com'] });
  expect(live.size.recipients).toBe(1);
  live.flush();
  live.recipient('a@example.com');
  remember([3], { recipients: ['a@example.com'] });
  expect(live.size.recipients).toBe(1);
});

test('the store takes it together, with the totals and positions of the last transaction', () => {
  remember([1], { recipients: ['a@example.com'] });
  remember([2]);
  live.flush();
  expect([inStore(1), inStore(2), live.has(idOf(2))]).toEqual([true, true, true]);
  expect(store.recipient('a@example.com')).toEqual(STATE);
  expect(store.totals.received).toBe(2);
  expect(store.positions).toEqual({ seen: offset, recipientState: offset - 1 });
  expect(live.size).toMatchObject({ ids: 2, recipients: 1 });
});

test('what has come together goes into the store by itself: by its number, and by its age', () => {
  remember(upTo(8_191));
  expect(inStore(0)).toBe(false);
  remember(upTo(1, 10_000));
  expect([inStore(0), inStore(8_190), inStore(10_000)]).toEqual([true, true, true]);
  remember([20_000]);
  live.expire(START + 4_999);
  expect(inStore(20_000)).toBe(false);
  live.expire(START + 5_000);
  expect(inStore(20_000)).toBe(true);
});

test('a clock that was put back does not keep it waiting', () => {
  remember([1]);
  live.expire(START - 1);
  expect(inStore(1)).toBe(true);
});

test('an id is forgotten after its window, also if nothing has come since', () => {
  remember([1]);
  live.expire(START + 7 * HOUR);
  expect(live.has(idOf(1))).toBe(true);
  remember([2], { seenAt: START + 7 * HOUR });
  live.expire(START + 13 * HOUR);
  expect([live.has(idOf(1)), live.has(idOf(2))]).toEqual([false, true]);
});

test('what another process has written meanwhile is noticed, and giving up says nothing of it', () => {
  remember([1]);
  const { positions, totals } = store;
  store.apply({ from: positions, to: { ...positions, seen: 99 }, totals, ids: [], recipients: new Map() });
  const stale = new LiveState(store);
  stale.remember({ ids: new Set([idOf(5)]), seenAt: START, recipients: new Map(), totals, seenOffset: 100 });
  const other = new PartitionStore(path, IDENTITY, WINDOW, stateCodec());
  onTestFinished(() => other.close());
  other.apply({
    ...{ from: other.positions, to: { ...other.positions, seen: 101 }, totals },
    ...{ ids: [], recipients: new Map() },
  });
  expect(() => stale.flush()).toThrow(expect.objectContaining({ code: 'STATE_UNUSABLE' }));
  expect(() => stale.flushIfPossible()).not.toThrow();
  expect(inStore(5)).toBe(false);
});

test.each([
  ['', () => live.flush()],
  [', while it is given up,', () => live.flushIfPossible()],
])('what the store has refused waits%s: its positions never come without its ids', (_, again) => {
  remember([1, 2], { recipients: ['a@example.com'] });
  const refusal = vi.spyOn(store, 'apply').mockImplementationOnce(() => {
    throw diskFull(new Error('as in a test'));
  });
  expect(() => live.flush()).toThrow(expect.objectContaining({ code: 'STATE_DISK_FULL' }));
  expect([live.has(idOf(1)), inStore(1), store.positions.seen]).toEqual([true, false, -1]);
  refusal.mockRestore();
  again();
  expect([inStore(1), inStore(2)]).toEqual([true, true]);
  expect(store.recipient('a@example.com')).toEqual(STATE);
  expect(store.positions).toEqual({ seen: offset, recipientState: offset });
});

test('who is forgotten is unknown at once, in the store with the next flush, and once more when known again', () => {
  const told = (states: ReadonlyMap<string, typeof STATE | null>) => {
    offset++;
    live.remember({
      ...{ ids: new Set(), seenAt: START, recipients: states, totals: live.totals },
      ...{ seenOffset: offset, recipientStateOffset: offset },
    });
  };
  remember([1], { recipients: ['a@example.com'] });
  live.flush();
  expect(live.hasErased).toBe(false);
  told(
    new Map([
      ['a@example.com', null],
      ['ERASED:1', STATE],
    ]),
  );
  expect([live.recipient('a@example.com'), live.hasErased]).toEqual([undefined, true]);
  live.flush();
  expect(store.recipient('a@example.com')).toBeUndefined();
  expect(store.hasErased).toBe(true);
  told(new Map([['a@example.com', STATE]]));
  expect(live.recipient('a@example.com')).toEqual(STATE);
  live.flush();
  expect(store.recipient('a@example.com')).toEqual(STATE);
});
