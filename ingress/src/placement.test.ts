import { createSigner } from '@email-events/esps/accounts';
import { partitionOf } from '@email-events/schemas';
import { describe, expect, it, onTestFinished, test, vi } from 'vitest';
import { FairShare, Placement } from './placement.ts';
import { rawOf, startHarness } from './testing/harness.ts';

const FLOOD = 800_000;

test('a source that floods goes to other partitions of email.raw than one that sends little', async () => {
  const signer = await createSigner('standard-webhooks');
  const source = (account: string) => ({ esp: 'standard-webhooks', ...signer.settings, account });
  const ingress = await startHarness({ sources: { flood: source('flood'), shop: source('shop') } });
  onTestFinished(() => ingress.close());
  const send = async (name: string, bytes: number) => {
    const { headers, body } = signer.sign({ body: JSON.stringify(['x'.repeat(bytes)]), at: Date.now() });
    const url = `http://127.0.0.1:${ingress.port}/webhooks/email-events/${name}`;
    const { status } = await fetch(url, { method: 'POST', headers, body });
    expect(status).toBe(200);
    const record = ingress.published.at(-1);
    expect(rawOf(record).source).toBe(name);
    return record?.partition;
  };
  // Who is who is settled a few times a second.
  await vi.waitFor(
    async () => {
      const places = [await send('flood', FLOOD), await send('shop', 100)];
      expect(places).toEqual([expect.toSatisfy((partition) => partition > 0), 0]);
    },
    { timeout: 15_000, interval: 20 },
  );
});

test('a request whose token may not come twice lies with its token, whatever its source sends', () => {
  const placement = new Placement(6);
  for (let requests = 0; requests < 10; requests++) placement.of('flood', FLOOD, null);
  expect(placement.of('flood', FLOOD, 'digest')).toEqual({ partition: partitionOf('digest', 6) });
  expect(placement.of('shop', 1, 'digest')).toEqual({ partition: partitionOf('digest', 6) });
});

const MB = 1_000_000;

interface Sending {
  readonly source: string;
  readonly bytes: number;
  readonly everyMs: number;
}

/** Where the requests of each source went, by their count, in the second half of the time. */
function run(share: FairShare, senders: readonly Sending[], seconds: number, from = 0) {
  const places = new Map<string, Map<number | undefined, number>>();
  for (let now = from; now < from + seconds * 1_000; now += 10) {
    for (const { source, bytes, everyMs } of senders) {
      if (now % everyMs !== 0) continue;
      const partition = share.partitionFor(source, bytes, now);
      if (now < from + seconds * 500) continue;
      const of = places.get(source) ?? new Map<number | undefined, number>();
      of.set(partition, (of.get(partition) ?? 0) + 1);
      places.set(source, of);
    }
  }
  return (source: string) => [...(places.get(source)?.keys() ?? [])].sort();
}

const flood: Sending = { source: 'flood', bytes: MB / 4, everyMs: 20 };
const honest: Sending = { source: 'honest', bytes: 2_000, everyMs: 200 };

describe('the share of a source in email.raw', () => {
  it('keeps who sends little apart from who floods', () => {
    const placesOf = run(new FairShare(6), [flood, honest], 20);
    expect(placesOf('honest')).toEqual([0]);
    expect(placesOf('flood')).toEqual([1, 2, 3, 4, 5]);
  });

  it('is not fooled by a flood that comes by many sources', () => {
    const floods = Array.from({ length: 40 }, (_, index) => ({
      source: `flood-${index}`,
      bytes: MB / 4,
      everyMs: 800,
    }));
    const share = new FairShare(6);
    const placesOf = run(share, [...floods, honest], 30);
    expect(placesOf('honest')).toEqual([0]);
    const apart = floods.filter(({ source }) => !placesOf(source).includes(0));
    // A few may share the way of the light ones, who must not be held up by that.
    expect(apart.length).toBeGreaterThanOrEqual(36);
    expect(share.heavySources).toBeGreaterThanOrEqual(36);
  });

  it('does nothing while there is little traffic, or one source, or one partition', () => {
    const calm = { ...flood, bytes: 4_500 };
    const quiet = { ...honest, bytes: 500 };
    expect(run(new FairShare(6), [calm, quiet], 20)('flood')).toEqual([undefined]);
    // Twice as much, and they are told apart.
    expect(run(new FairShare(6), [{ ...calm, bytes: 10_000 }, quiet], 20)('honest')).toEqual([0]);
    expect(run(new FairShare(6), [flood], 20)('flood')).toEqual([undefined]);
    expect(run(new FairShare(1), [flood, honest], 20)('honest')).toEqual([undefined]);
  });

  it('does nothing for two who send as much as each other: neither holds the other up more', () => {
    const placesOf = run(new FairShare(6), [flood, { ...flood, source: 'other' }], 20);
    expect(placesOf('flood')).toEqual([undefined]);
  });

  it('forgets a flood that has ended, and sources that are gone', () => {
    const share = new FairShare(4);
    run(share, [flood, honest], 20);
    expect(share.heavySources).toBe(1);
    expect(run(share, [honest], 400, 20_000)('honest')).toEqual([undefined]);
    expect(share.heavySources).toBe(0);
  });

  it('never fills the partitions of the light ones as much as those of the others', () => {
    const sizes = [1_000, 5_000, 20_000, 50_000, 100_000, 400_000, MB];
    for (const partitions of [2, 3, 4, 6, 12, 60]) {
      const bytesAt = new Map<number, number>();
      const share = new FairShare(partitions);
      for (let now = 0; now < 60_000; now += 100) {
        for (const [index, bytes] of sizes.entries()) {
          const partition = share.partitionFor(`source-${index}`, bytes, now);
          if (now < 30_000) continue;
          expect(partition).toBeDefined();
          bytesAt.set(partition ?? -1, (bytesAt.get(partition ?? -1) ?? 0) + bytes);
        }
      }
      const light = Math.max(1, Math.floor(partitions / 4));
      const load = (from: number, to: number) =>
        Array.from({ length: to - from }, (_, at) => bytesAt.get(from + at) ?? 0).reduce((a, b) => a + b, 0) /
        (to - from);
      expect(load(0, light)).toBeLessThan(load(light, partitions) / 3.9);
      expect([...bytesAt.keys()].every((partition) => partition >= 0 && partition < partitions)).toBe(true);
    }
  });
});
