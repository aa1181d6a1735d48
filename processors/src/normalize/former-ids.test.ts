import { decodeRawHeaders, type FirstRecord, type RawRequest } from '@email-events/core';
import { IDENTITY_VERSION } from '@email-events/esps';
import { describe, expect, test } from 'vitest';
import { RECEIVED_AT, rawRecord, sendgridItem } from '../testing/records.ts';
import { FormerIds } from './former-ids.ts';
import { normalizeRecord } from './normalize-record.ts';

const DAY = 86_400_000;
const NOW = RECEIVED_AT + 30 * DAY;
const OLD = { identityVersion: IDENTITY_VERSION - 1 };
const NEW = { identityVersion: IDENTITY_VERSION };

function first(offset: number, request: Partial<RawRequest> | null, hasExpired = offset > 0): FirstRecord {
  const record = request && { ...rawRecord([], {}, request), offset: BigInt(offset) };
  return { partition: 0, hasExpired, record };
}

function formerIds(firsts: readonly FirstRecord[] | Error): FormerIds {
  const said = () => {};
  return new FormerIds({
    firstRecords: async () => {
      if (firsts instanceof Error) throw firsts;
      return firsts;
    },
    ...{ windowMs: 7 * DAY, clock: () => NOW, log: { info: said, debug: said } },
  });
}

const of = (request: Partial<RawRequest>) =>
  decodeRawHeaders(rawRecord([], {}, request).headers) as RawRequest;

/** Whether they may be had by what was received at these times. */
async function had(firsts: readonly FirstRecord[] | Error, ...times: readonly number[]): Promise<boolean[]> {
  const ids = formerIds(firsts);
  await ids.look();
  return times.map((receivedAt) => ids.mayHave(of({ ...NEW, receivedAt })));
}

describe('former ids', () => {
  test('are known until it is known what there was before', async () => {
    expect(formerIds([]).mayHave(of({ ...NEW, receivedAt: NOW }))).toBe(true);
    expect(await had(new Error('away'), NOW)).toEqual([true]);
  });

  test('are none where records of this version were the first, or there were none', async () => {
    expect(await had([first(0, NEW), first(0, null)], RECEIVED_AT, NOW)).toEqual([false, false]);
  });

  test('are known while a record of an earlier version is kept, of whatever is received', async () => {
    expect(await had([first(0, NEW), first(7, OLD)], RECEIVED_AT, NOW)).toEqual([true, true]);
    expect(await had([first(0, {})], NOW)).toEqual([true]);
    const unreadable = { ...rawRecord([], { headers: {} }), offset: 0n };
    expect(await had([{ partition: 0, hasExpired: false, record: unreadable }], NOW)).toEqual([true]);
  });

  test('are known of what was received within the window, and a day, after the beginnings of all partitions', async () => {
    const firsts = [
      first(9, { ...NEW, receivedAt: RECEIVED_AT }),
      first(9, { ...NEW, receivedAt: RECEIVED_AT + DAY }),
    ];
    const end = RECEIVED_AT + 9 * DAY;
    expect(await had(firsts, RECEIVED_AT - DAY, end, end + 1, NOW)).toEqual([true, true, false, false]);
  });

  test('are known where all of a partition has expired, since its version cannot be known', async () => {
    expect(await had([first(9, null)], NOW, NOW + 8 * DAY + 1)).toEqual([true, false]);
  });

  test('are known again when an ingress of the earlier version shows up', async () => {
    const ids = formerIds([first(0, NEW)]);
    await ids.look();
    expect(ids.mayHave(of({ ...NEW, receivedAt: NOW }))).toBe(false);
    expect(ids.mayHave(of({ ...OLD, receivedAt: NOW }))).toBe(true);
    await ids.look();
    const after = [NOW, NOW + 8 * DAY, NOW + 8 * DAY + 1];
    expect(after.map((receivedAt) => ids.mayHave(of({ ...NEW, receivedAt })))).toEqual([true, true, false]);
  });
});

test('an event has them, or has them not, as its request may', async () => {
  const item = sendgridItem('open');
  const events = async (request: Partial<RawRequest>, mayHaveFormerIds?: () => boolean) =>
    (await normalizeRecord(rawRecord([item], {}, request), { mayHaveFormerIds })).events;
  const [[asEver], [with_], [without], [old]] = [
    await events(NEW),
    await events(NEW, () => true),
    await events(NEW, () => false),
    await events(OLD, () => true),
  ];
  expect(asEver?.known_as).toEqual([old?.event_id]);
  expect(with_).toEqual(asEver);
  expect(without).toEqual({ ...asEver, known_as: [] });
});
