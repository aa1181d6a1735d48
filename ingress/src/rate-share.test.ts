import { describe, expect, it } from 'vitest';
import { RateShare } from './rate-share.ts';

const MB = 1_000_000;

interface Sending {
  readonly account: string;
  readonly bytes: number;
  readonly everyMs: number;
}

/** Bytes a second of each account that were taken in the second half of the time, and how many of its requests were refused. */
function run(share: RateShare, senders: readonly Sending[], seconds = 60) {
  const found = new Map(senders.map(({ account }) => [account, { rate: 0, refused: 0 }]));
  for (let now = 0; now < seconds * 1_000; now += 10) {
    for (const { account, bytes, everyMs } of senders) {
      const of = found.get(account);
      if (!of || now % everyMs !== 0) continue;
      const refused = share.wait(account, now) > 0;
      if (!refused) share.took(account, bytes, now);
      if (now < seconds * 500) continue;
      if (refused) of.refused++;
      else of.rate += bytes / (seconds / 2);
    }
  }
  return (account: string) => found.get(account) ?? { rate: Number.NaN, refused: Number.NaN };
}

const flood: Sending = { account: 'flood', bytes: MB / 4, everyMs: 20 };
const honest: Sending = { account: 'honest', bytes: 20_000, everyMs: 200 };

describe('the rate of an account', () => {
  it('is what is left by those that send less, for the one that floods', () => {
    const of = run(new RateShare(MB), [flood, honest]);
    expect(of('honest')).toEqual({ rate: expect.closeTo(100_000, 0), refused: 0 });
    expect(of('flood').rate / (0.9 * MB)).toBeCloseTo(1, 1);
    expect(of('flood').refused).toBeGreaterThan(0);
  });

  it('is the same for all that send more than it', () => {
    const twice = { ...flood, account: 'twice', everyMs: 10 };
    const of = run(new RateShare(2.1 * MB), [flood, twice, honest], 120);
    expect(of('honest').refused).toBe(0);
    for (const account of ['flood', 'twice']) expect(of(account).rate / MB).toBeCloseTo(1, 0);
    expect((of('flood').rate + of('twice').rate) / MB).toBeCloseTo(2, 0);
  });

  it('is not limited while all together send less, nor without a limit', () => {
    expect(run(new RateShare(20 * MB), [flood, honest])('flood').refused).toBe(0);
    expect(run(new RateShare(undefined), [flood, honest])('flood').refused).toBe(0);
  });

  it('is limited for a single account too', () => {
    expect(run(new RateShare(MB), [flood])('flood').rate / MB).toBeCloseTo(1, 1);
  });

  it('says when a request is taken again', () => {
    const share = new RateShare(MB);
    share.took('flood', 20 * MB, 0);
    const seconds = share.wait('flood', 0);
    expect(seconds).toBeGreaterThan(0);
    expect(share.wait('flood', seconds * 1_000 - 10)).toBeGreaterThan(0);
    expect(share.wait('flood', seconds * 1_000 + 10)).toBe(0);
    expect(share.wait('honest', 0)).toBe(0);
  });
});
