import { setTimeout as sleep } from 'node:timers/promises';
import { Registry } from '@email-events/core';
import type { Suppression } from '@email-events/schemas';
import { type CrmSink, createCrmSink, SharedPace } from '@email-events/sink-crm';
import type { Fault } from '@email-events/sink-crm/testing';
import { describe, expect, test } from 'vitest';
import { batch, openWorld, playableCrms, suppression } from './crm-world.ts';
import { seeded } from './topic.ts';

/** Every CRM's adapter in two instances of the sink, over a CRM that enforces a limit and fails of a share of its calls. */
const { signal } = new AbortController();
const playable = await playableCrms();

const LIMIT = { calls: 60, perMs: 200 };
const PEOPLE = 24;
const SLOW = 90_000;
const log = { info() {}, warn() {}, error() {} } as never;

/** As the runner does, with the pauses that the sink asks for. */
async function deliver(sink: CrmSink, states: readonly Suppression[]): Promise<void> {
  const all = batch(...states);
  for (;;) {
    const verdicts = await sink.write(all, signal);
    const outcomes = new Set(verdicts.map(({ outcome }) => outcome));
    if (outcomes.has('dead-letter')) throw new Error(`a dead letter: ${JSON.stringify(verdicts)}`);
    if (!outcomes.has('retry')) return;
    const waits = verdicts.map((verdict) => (verdict.outcome === 'retry' ? (verdict.afterMs ?? 10) : 0));
    await sleep(Math.max(1, ...waits));
  }
}

// These wait for their limits most of the time, so all CRMs wait at once.
describe.concurrent.each(playable)('$name', (subject) => {
  const { crm, harness } = subject;
  const throttled = harness.throttled?.(0).answer ?? { status: 429, headers: { 'retry-after': '0' } };

  test('two instances stay below the limit; over 429, 503, cut calls and lost answers all arrive, once', {
    timeout: SLOW,
  }, async (scope) => {
    const { played, server, settings } = await openWorld(subject, { scope });
    const random = seeded(17);
    const faults: readonly Fault[] = [throttled, { status: 503 }, 'cut', 'lost'];
    server.limit = { ...LIMIT, over: harness.throttled?.(1).answer ?? { status: 429 } };
    server.faultOfNext = () => (random() < 0.15 ? faults[Math.floor(random() * faults.length)] : undefined);
    const states = Array.from({ length: PEOPLE }, (_, i) =>
      suppression(`person-${i}@example.com`, i % 2 === 0 ? 'hard_bounce:all' : 'complaint:all'),
    );
    const startedAt = performance.now();
    const delivered = [0, 1].map((instance) => {
      const pace = new SharedPace({ published: { ...crm.facts.pace, windows: [LIMIT] }, now: Date.now });
      pace.setShare(0.5);
      const adapter = crm.connect(settings, Date.now, pace);
      scope.onTestFinished(() => adapter.close());
      const metrics = new Registry();
      const sink = createCrmSink({
        ...{ adapter, concurrency: 4, dryRun: false, log, metrics },
        ...{ breakMs: 50, trialPauseMs: 10 },
      });
      return deliver(
        sink,
        states.filter((_state, index) => index % 2 === instance),
      );
    });
    await Promise.all(delivered);
    const elapsed = performance.now() - startedAt;
    expect(server.calls.length).toBeLessThanOrEqual((LIMIT.calls * (elapsed + LIMIT.perMs)) / LIMIT.perMs);
    for (const { recipient } of states) expect(played.held(recipient)?.suppressed, recipient).toBe(true);
    expect(played.recipients().sort()).toEqual(states.map(({ recipient }) => recipient).sort());
  });
});
