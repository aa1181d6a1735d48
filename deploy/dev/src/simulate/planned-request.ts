import type { NormalizeCode } from '@email-events/esps';
import type { SimulatedEsp } from './credentials.ts';
import type { Step } from './lifecycle.ts';
import type { Draft, Flaw } from './senders/sender.ts';

/** Ways in which a request is bad. The first six are refused; the others are accepted and lead to dead letters. */
export const MISHAPS = [
  'wrong-signature',
  'missing-signature',
  'stale',
  'unknown-source',
  'wrong-content-type',
  'too-large',
  'garbage',
  'bad-item',
] as const;
export type Mishap = (typeof MISHAPS)[number];

export interface PlannedRequest {
  /** Position in the plan. */
  readonly index: number;
  readonly esp: SimulatedEsp;
  readonly kind: 'events' | 'redelivery' | Mishap;
  readonly draft: Draft;
  readonly flaw?: Flaw | undefined;
  /** What the pipeline must read in it; empty if it must be refused. */
  readonly steps: readonly Step[];
  readonly expected: {
    readonly status: number;
    readonly deadLetters: readonly NormalizeCode[];
  };
  /** A later request repeats this one's bytes. */
  readonly repeatedLater: boolean;
  /** Index of the request that this one repeats. */
  readonly repeats?: number;
}
