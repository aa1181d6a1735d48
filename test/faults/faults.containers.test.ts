import { expect, test, vi } from 'vitest';
import { DEADLINE_MS, ENOUGH, survive } from './bounded-run.ts';
import { BROKER_RESTARTS } from './schedule.ts';

// Brokers in containers stop and come back in other ways than processes: docker's signals and time-outs, a network of their own.
test(
  'three brokers in containers are restarted one after the other: nothing is lost, twice or stuck, and nobody is refused',
  async (context) => {
    vi.stubEnv('STACK', 'containers');
    const round = { brokers: 3, deck: BROKER_RESTARTS, everyMs: 3_000, once: true };
    const run = await survive(context, { ...round, events: ENOUGH });
    expect(run.survived.map(({ kind }) => kind)).toEqual(['restart', 'restart', 'restart']);
    expect(run.events.acknowledged).toBeGreaterThanOrEqual(2_000);
  },
  DEADLINE_MS,
);
