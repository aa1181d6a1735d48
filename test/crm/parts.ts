import type { Fault } from '@email-events/sink-crm/testing';
import type { Chance } from './played.ts';

/** A share of the states, and what happens while they are under way. */
export interface Part {
  readonly what: string;
  /** Places in the log. */
  readonly from: number;
  readonly to: number;
  /** Of every call, until the next part. */
  readonly chances: readonly Chance[];
  /** Happen to the next calls, one each. */
  readonly next: readonly Fault[];
  /** One of the next calls is one too many, as the CRM itself says it. */
  readonly throttled: boolean;
  /** Happens to every call for so long. Milliseconds. */
  readonly all?: { readonly fault: Fault; readonly forMs: number } | undefined;
  /** Instances that are killed, or stopped in order, and started again. */
  readonly killed: readonly number[];
  readonly stopped: readonly number[];
}

/** Few enough that a CRM does not count as down for it. */
const NOW_AND_THEN: readonly Chance[] = [
  { probability: 0.006, fault: { status: 503 } },
  { probability: 0.003, fault: { status: 500 } },
  { probability: 0.003, fault: { status: 502 } },
  { probability: 0.006, fault: 'cut' },
  { probability: 0.008, fault: 'lost' },
  { probability: 0.001, fault: 'silent' },
];

const TOO_MANY: readonly Fault[] = [
  { status: 429, headers: { 'retry-after': '1' } },
  { status: 429, headers: { 'retry-after': new Date(0).toUTCString() } },
  { status: 429 },
];

/** What a CRM answers besides when there are too many calls. */
export const TOO_MANY_ELSEWHERE: { readonly [kind: string]: Fault } = { mailchimp: { status: 403 } };

type Happening = Partial<Omit<Part, 'what' | 'from' | 'to'>> & { readonly what: string };

/** `downMs`: how long a CRM that is down stays so. */
const happenings = (downMs: number): readonly Happening[] => [
  { what: 'all is well', chances: [] },
  { what: '5xx, cut connections, lost answers, calls without an answer' },
  { what: 'too many calls, with Retry-After and without', next: TOO_MANY },
  { what: 'too many calls, as the CRM itself says it', throttled: true },
  { what: 'down: every connection is cut', all: { fault: 'cut', forMs: downMs } },
  { what: 'an instance is killed', killed: [0] },
  { what: 'every call hangs', all: { fault: 'silent', forMs: downMs / 2 } },
  { what: 'an instance is stopped in order', stopped: [1] },
  { what: 'down: 503 to everything', all: { fault: { status: 503 }, forMs: downMs / 2 } },
  { what: 'both instances are killed', killed: [0, 1] },
  { what: 'the answers of all writes are lost', all: { fault: 'lost', forMs: downMs / 4 } },
  { what: '5xx, cut connections, lost answers, calls without an answer' },
];

export function partsOf({ events, downMs }: { readonly events: number; readonly downMs: number }): Part[] {
  const all = happenings(downMs);
  const placeOf = (part: number) => Math.round((part * events) / all.length);
  return all.map((happening, part) => ({
    ...{ from: placeOf(part), to: placeOf(part + 1), chances: NOW_AND_THEN, next: [], throttled: false },
    ...{ killed: [], stopped: [] },
    ...happening,
  }));
}
