import { Counter, Gauge, type Registry } from '@email-events/core';
import type { Alert } from '@email-events/schemas';
import type { AlertState } from './state.ts';

export interface AlertMeasures {
  /** What was told. */
  readonly told: Counter<'rule' | 'level' | 'status'>;
  /** Everything was judged, as of `at`. */
  judged(at: number, state: Pick<AlertState, 'book' | 'windows'>): void;
  /** This instance does not judge any more. */
  forget(): void;
}

/** Told by the instance that judges, and by no other. */
export function measureAlerts(metrics: Registry): AlertMeasures {
  const registers = [metrics];
  let known: { readonly at: number; readonly active: readonly Alert[]; readonly windows: number } | undefined;
  new Gauge({
    name: 'email_events_alerts_firing',
    help: 'Alerts on the mail that fire, by rule, level and source.',
    labelNames: ['rule', 'level', 'source'],
    registers,
    collect() {
      this.reset();
      for (const { rule, level, source } of known?.active ?? []) this.inc({ rule, level, source });
    },
  });
  new Gauge({
    name: 'email_events_alerts_judged_seconds',
    help: 'When the mail was last judged; absent on an instance that does not judge.',
    registers,
    collect() {
      if (known) this.set(known.at / 1_000);
      else this.remove();
    },
  });
  new Gauge({
    name: 'email_events_alerts_windows',
    help: 'Windows that are kept: one for each source, and for each stream and mailbox provider of it.',
    registers,
    collect() {
      if (known) this.set(known.windows);
      else this.remove();
    },
  });
  return {
    told: new Counter({
      name: 'email_events_alerts_total',
      help: 'Alerts on the mail that this process told, by rule, level and status: firing or resolved.',
      labelNames: ['rule', 'level', 'status'] as const,
      registers,
    }),
    judged: (at, { book, windows }) => {
      known = { at, active: book.active, windows: windows.size };
    },
    forget: () => {
      known = undefined;
    },
  };
}
