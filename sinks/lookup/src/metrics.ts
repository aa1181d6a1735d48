import { Counter, Gauge, Histogram, LAG_HELP, type Registry } from '@email-events/core';
import { topics } from '@email-events/schemas';
import type { LookupCode } from './codes.ts';
import type { Freshness } from './reader.ts';
import type { SuppressionState } from './state.ts';

export interface LookupMetrics {
  /** A call with an answer. Seconds. */
  answered(method: 'GET' | 'POST', seconds: number): void;
  refused(code: LookupCode): void;
  addresses(answer: 'yes' | 'no' | 'no_address', count: number): void;
}

export interface Measured {
  readonly state: Pick<SuppressionState, 'size' | 'bytes' | 'unreadable'>;
  readonly freshness: () => Freshness | undefined;
  readonly bytesUnderWay: () => number;
}

export function createLookupMetrics(registry: Registry, measured: Measured): LookupMetrics {
  const registers = [registry];
  const seconds = new Histogram({
    name: 'email_events_lookup_call_seconds',
    help: 'Time from a call to the end of its answer.',
    labelNames: ['method'],
    buckets: [0.0002, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1],
    registers,
  });
  const addresses = new Counter({
    name: 'email_events_lookup_addresses_total',
    help: 'Addresses that were asked about, by answer: yes (may be mailed), no, or no_address.',
    labelNames: ['answer'],
    registers,
  });
  const refused = new Counter({
    name: 'email_events_lookup_refused_total',
    help: 'Calls that were refused, by code.',
    labelNames: ['code'],
    registers,
  });
  const { state, freshness, bytesUnderWay } = measured;
  const age = () => {
    const ageMs = freshness()?.ageMs;
    return ageMs === undefined ? undefined : ageMs / 1_000;
  };
  const gauges: readonly (readonly [string, string, () => number | undefined])[] = [
    ['recipients', 'Recipients whose state is known, lifted ones included.', () => state.size],
    ['state_bytes', 'Bytes that the states take in memory.', () => state.bytes],
    [
      'unreadable_recipients',
      'Recipients whose state cannot be read: nothing may be sent to them.',
      () => state.unreadable,
    ],
    ['age_seconds', 'Age of what is known; no value until everything was read once.', age],
    ['body_bytes', 'Bytes of bodies that are received or worked on.', bytesUnderWay],
  ];
  new Gauge({
    name: 'email_events_consumer_lag',
    help: LAG_HELP,
    labelNames: ['topic'],
    registers,
    collect() {
      const behind = freshness()?.behind;
      if (behind !== undefined) this.set({ topic: topics.suppressions }, behind);
    },
  });
  for (const [name, help, read] of gauges)
    new Gauge({
      name: `email_events_lookup_${name}`,
      help,
      registers,
      collect() {
        const value = read();
        if (value !== undefined) this.set(value);
      },
    });
  return {
    answered: (method, time) => seconds.observe({ method }, time),
    refused: (code) => refused.inc({ code }),
    addresses: (answer, count) => {
      if (count > 0) addresses.inc({ answer }, count);
    },
  };
}
