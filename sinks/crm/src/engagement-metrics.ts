import { Counter, Gauge, type Registry } from '@email-events/core';

export interface EngagementMetrics {
  /**
   * Of recipients: written, unchanged, absent (no contact there), dry_run, or the failure. Of events: coalesced, machine, erased, dropped.
   */
  count(outcome: string, by?: number): void;
}

export interface EngagementGauges {
  readonly callLimit: () => number | undefined;
  readonly waits: () => boolean;
}

export function createEngagementMetrics(
  registry: Registry,
  crm: string,
  { callLimit, waits }: EngagementGauges,
): EngagementMetrics {
  const registers = [registry];
  const counter = new Counter({
    name: 'email_events_crm_engagement_total',
    help: 'Engagement by what became of it: recipients written, unchanged, absent, dry_run, or the failure; events coalesced, machine, erased, dropped.',
    labelNames: ['crm', 'outcome'],
    registers,
  });
  // There from the start: an alert is for what is dropped.
  counter.inc({ crm, outcome: 'dropped' }, 0);
  new Gauge({
    name: 'email_events_crm_engagement_waits',
    help: '1 while engagement waits for suppressions of this CRM.',
    labelNames: ['crm'],
    registers,
    collect() {
      this.set({ crm }, waits() ? 1 : 0);
    },
  });
  new Gauge({
    name: 'email_events_crm_engagement_call_limit',
    help: 'Calls a second that this instance may make for engagement now. No value without a limit.',
    labelNames: ['crm'],
    registers,
    collect() {
      const limit = callLimit();
      if (limit !== undefined) this.set({ crm }, limit);
    },
  });
  return { count: (outcome, by = 1) => void (by > 0 && counter.inc({ crm, outcome }, by)) };
}
