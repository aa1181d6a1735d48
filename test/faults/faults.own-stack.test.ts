import { join } from 'node:path';
import { expect, test } from 'vitest';
import { DEADLINE_MS, ENOUGH, RATE, runOnce, survive } from './bounded-run.ts';
import { deckFor } from './schedule.ts';

const cardsOf = (of: readonly { readonly kind: string; readonly target: string }[]) =>
  [...new Set(of.map(({ kind, target }) => `${kind} ${target}`))].sort();

/** Who stands still for half a minute can be seen only if nothing that excuses it happens meanwhile. */
const CALM_MS = 45_000;

for (const { brokers, title, calmMs } of [
  {
    brokers: 1,
    title:
      'on one broker everything is killed, frozen, cut off or moved once: nothing is lost, twice or stuck',
  },
  {
    brokers: 3,
    title:
      'on three brokers nothing stands still and nobody is refused while nothing happens; then everything is killed, frozen, cut off or moved once: nothing is lost, twice or stuck',
    calmMs: CALM_MS,
  },
]) {
  test(
    title,
    async (context) => {
      const deck = deckFor(brokers, true);
      const run = await survive(context, {
        brokers,
        deck,
        events: ENOUGH,
        everyMs: 3_000,
        once: true,
        calmMs,
      });
      expect(run.events.acknowledged).toBeGreaterThanOrEqual(5_000 + ((calmMs ?? 0) / 1_000) * RATE);
      // The whole deck was dealt and done.
      expect(cardsOf(run.survived)).toEqual(cardsOf(deck.map(([kind, target]) => ({ kind, target }))));
      expect(run.survived.length).toBe(run.faults.length);
    },
    DEADLINE_MS,
  );
}

test(
  "on three brokers kafkajs's own transactions are caught, without any fault, where one broker answers late",
  async (context) => {
    const { findings } = await runOnce(context, {
      ...{ brokers: 3, deck: [], events: 20 * RATE, everyMs: 1_000 },
      substitute: join(import.meta.dirname, 'substitutes', 'kafkajs-transactions.ts'),
      delays: new Map([[1, 100]]),
    });
    const broken = findings.filter(({ violations }) => violations.length > 0);
    expect(broken.map(({ promise }) => promise)).toContain(
      'no event is there twice, and none that nobody sent',
    );
  },
  DEADLINE_MS,
);
