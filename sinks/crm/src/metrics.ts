import { Counter, Gauge, Histogram, type Registry } from '@email-events/core';

export interface CrmMetrics {
  /**
   * A call that was made, or a record that needed none: written, unchanged, superseded, erased, dry_run, or the failure; repeated: one
   * that was made to tell a bad record from a CRM that is down.
   */
  count(outcome: string, records?: number): void;
  took(seconds: number): void;
  /** A state that the CRM now has: when the event behind it occurred. Epoch milliseconds. */
  delivered(changedAt: number): void;
}

export interface CrmGauges {
  readonly breakerLevel: () => number;
  readonly refused: () => boolean;
  readonly callLimit: () => number | undefined;
  readonly now: () => number;
}

export function createCrmMetrics(registry: Registry, crm: string, gauges: CrmGauges): CrmMetrics {
  const registers = [registry];
  const labels = { crm };
  const calls = new Counter({
    name: 'email_events_crm_calls_total',
    help: 'Recipient states by what became of them.',
    labelNames: ['crm', 'outcome'],
    registers,
  });
  const seconds = new Histogram({
    name: 'email_events_crm_call_seconds',
    help: 'Time that the CRM took for a recipient: all calls of it, and what they waited for their turn.',
    labelNames: ['crm'],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    registers,
  });
  let newest: number | undefined;
  gauge(
    'email_events_crm_breaker_state',
    'Circuit breaker: 0 closed, 1 half open, 2 open.',
    gauges.breakerLevel,
  );
  gauge('email_events_crm_refused', '1 while the CRM refuses the configuration.', () =>
    gauges.refused() ? 1 : 0,
  );
  gauge(
    'email_events_crm_call_limit',
    'Calls a second that this instance may make to the CRM now: its share of the limit. No value without a limit.',
    gauges.callLimit,
  );
  gauge(
    'email_events_crm_newest_state_age_seconds',
    'Age of the newest state that the CRM took since the start.',
    () => (newest === undefined ? undefined : Math.max(0, gauges.now() - newest) / 1_000),
  );

  /** Read when it is scraped; no value until there is one. */
  function gauge(name: string, help: string, read: () => number | undefined): void {
    new Gauge({
      name,
      help,
      labelNames: ['crm'],
      registers,
      collect() {
        const value = read();
        if (value !== undefined) this.set(labels, value);
      },
    });
  }

  return {
    count: (outcome, records = 1) => calls.inc({ crm, outcome }, records),
    took: (time) => seconds.observe(labels, time),
    delivered: (changedAt) => {
      newest = Math.max(newest ?? 0, changedAt);
    },
  };
}
