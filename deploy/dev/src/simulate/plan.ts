import { findAdapter, type NormalizeCode } from '@email-events/esps';
import type { Draft, Entry, Random, Step, WriteContext } from '@email-events/esps/accounts/kit/speech';
import TinyQueue from 'tinyqueue';
import { SIMULATED_ESPS } from './credentials.ts';
import { createMailing, type Mailing } from './mailing.ts';
import { createRandom } from './random.ts';
import { type Flaw, senderOf } from './sender.ts';

export interface PlanOptions {
  readonly seed: number;
  /** Distinct events; a few more if the last one names several recipients. */
  readonly events: number;
  readonly esps?: readonly string[] | undefined;
  /** Epoch milliseconds: the end of the simulated time. */
  readonly startTime: number;
  /** Lower-case letters and digits. Starts every message id and is metadata `run`. */
  readonly runId: string;
  /** Events told a second time, as a share of the events: half in repeated requests, half in other requests. */
  readonly duplicates?: number | undefined;
  /** Requests with something wrong, as a share of the requests. */
  readonly invalid?: number | undefined;
  /** Length of the simulated time. */
  readonly hours?: number | undefined;
}

/** The requests that will be sent, in order and not signed yet. Each iteration gives the same requests. */
export interface Plan {
  readonly options: Required<{ [name in keyof PlanOptions]: NonNullable<PlanOptions[name]> }>;
  requests(): Iterable<PlannedRequest>;
}

const DEFAULTS = { esps: SIMULATED_ESPS, duplicates: 0.05, invalid: 0.01, hours: 6 };

/** Pure: the same options give the same requests. Throws RangeError for a run id that could not start a message id. */
export function createPlan(options: PlanOptions): Plan {
  const { esps, duplicates, invalid, hours } = DEFAULTS;
  const complete = {
    ...options,
    esps: options.esps ?? esps,
    duplicates: options.duplicates ?? duplicates,
    invalid: options.invalid ?? invalid,
    hours: options.hours ?? hours,
  };
  if (!/^[a-z0-9]{1,20}$/.test(complete.runId))
    throw new RangeError('a run id is 1 to 20 lower-case letters and digits');
  if (complete.esps.length === 0) throw new RangeError('a plan needs an ESP');
  return { options: complete, requests: () => planRequests(complete) };
}

function* planRequests(options: Plan['options']): Generator<PlannedRequest> {
  const random = createRandom(options.seed);
  const mailing = createMailing({ ...options, spanMs: options.hours * 3_600_000 }, random.fork(1));
  const arrivals = new TinyQueue<Arrival>([], (a, b) => a.at - b.at || a.order - b.order);
  const writer = new RequestWriter(options, mailing, random.fork(2));
  const chaos = random.fork(3);
  let order = 0;
  const arrive = (at: number, what: { entry: Entry } | { repeat: PlannedRequest }) =>
    arrivals.push({ at, order: order++, ...what });

  for (;;) {
    while (
      mailing.nextAt !== undefined &&
      mailing.nextAt <= (arrivals.peek()?.at ?? Number.POSITIVE_INFINITY)
    ) {
      for (const step of mailing.next()) arrive(step.at + delay(chaos), { entry: { step, again: false } });
    }
    const arrival = arrivals.pop();
    const written = arrival === undefined ? writer.flush() : writer.take(arrival);
    if (arrival === undefined && written.length === 0) return;
    for (const request of written) {
      yield request;
      if (request.repeatedLater) arrive(writer.now + chaos.int(20, 900) * 1000, { repeat: request });
    }
    if (
      arrival &&
      'entry' in arrival &&
      !arrival.entry.again &&
      chaos.chance(retold(arrival.entry.step, options))
    ) {
      arrive(arrival.at + chaos.int(5, 900) * 1000, { entry: { ...arrival.entry, again: true } });
    }
  }
}

/**
 * Share of the steps that come again in another request. Some ESPs are often set up to tell of bounces and
 * complaints twice, in two formats: too rare among all events to be met by chance.
 */
function retold({ type, message }: Step, { duplicates }: Plan['options']): number {
  const { inTwoFormats } = senderOf(message.esp).speech;
  const failed = type === 'bounced' || type === 'complained';
  return duplicates > 0 && inTwoFormats && failed ? Math.max(0.4, duplicates / 2) : duplicates / 2;
}

/** ESPs report within seconds, but now and then half an hour late: after what happened later. */
function delay(random: Random): number {
  return random.chance(0.05) ? random.int(30, 1800) * 1000 : random.int(1, 20) * 1000;
}

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
  readonly esp: string;
  readonly kind: 'events' | 'redelivery' | Mishap;
  readonly draft: Draft;
  readonly flaw?: Flaw | undefined;
  /** The events that the pipeline must read in it; empty if the request must be refused. */
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

export interface WriterOptions {
  readonly runId: string;
  /** Epoch milliseconds. */
  readonly startTime: number;
  readonly duplicates: number;
  readonly invalid: number;
}

/** Steps that are yet to reach the pipeline, ordered by the time at which they do. */
export type Arrival = { readonly at: number; readonly order: number } & (
  | { readonly entry: Entry }
  | { readonly repeat: PlannedRequest }
);

/** Collects entries into requests, as each ESP batches them, and spoils some. */
export class RequestWriter {
  now = 0;
  readonly #options: WriterOptions;
  readonly #mailing: Mailing;
  readonly #random: Random;
  readonly #open = new Map<string, { readonly size: number; readonly entries: Entry[] }>();
  readonly #mishaps: Mishap[] = [];
  #index = 0;
  /** So far: distinct events written, events told again (now or later), requests spoiled. */
  readonly #so = { told: 0, repeated: 0, spoiled: 0 };

  constructor(options: WriterOptions, mailing: Mailing, random: Random) {
    this.#options = options;
    this.#mailing = mailing;
    this.#random = random;
  }

  take(arrival: Arrival): PlannedRequest[] {
    this.now = arrival.at;
    if ('repeat' in arrival) {
      const { index, ...same } = arrival.repeat;
      return [{ ...same, index: this.#index++, kind: 'redelivery', repeats: index, repeatedLater: false }];
    }
    const { esp } = arrival.entry.step.message;
    const open = this.#open.get(esp) ?? { size: senderOf(esp).batchSize(this.#random), entries: [] };
    this.#open.set(esp, open);
    open.entries.push(arrival.entry);
    return open.entries.length >= open.size ? this.#close(esp, open.entries) : [];
  }

  /** Steps left in unfinished batches. */
  flush(): PlannedRequest[] {
    return [...this.#open].flatMap(([esp, { entries }]) => this.#close(esp, entries));
  }

  #close(esp: string, entries: readonly Entry[]): PlannedRequest[] {
    this.#open.delete(esp);
    const so = this.#so;
    for (const { step, again } of entries) so[again ? 'repeated' : 'told'] += step.message.addressees.length;
    const mishap = this.#isSpoiled() ? this.#nextMishap(esp) : undefined;
    if (mishap !== undefined) so.spoiled++;
    if (mishap === 'bad-item' && senderOf(esp).batches) return [this.#spoiled(esp, mishap, entries)];
    const repeatedLater = this.#isRepeated(entries.length);
    if (repeatedLater) so.repeated += entries.length;
    const good = this.#request(esp, {
      kind: 'events',
      draft: senderOf(esp).write(entries, this.#context()),
      steps: entries.map(({ step }) => step),
      repeatedLater,
    });
    return mishap === undefined ? [good] : [good, this.#spoiled(esp, mishap, [])];
  }

  /** By chance, but never far from the share wanted: too many or too few events told again are made up for. */
  #isRepeated(events: number): boolean {
    const { duplicates } = this.#options;
    const chosen = this.#random.chance(duplicates / 2);
    const behind = duplicates * this.#so.told - this.#so.repeated;
    const slack = 30 + this.#so.told / 200;
    return duplicates > 0 && events <= behind + slack && (chosen || behind > slack);
  }

  #isSpoiled(): boolean {
    const { invalid } = this.#options;
    const chosen = this.#random.chance(invalid);
    const behind = invalid * this.#index - this.#so.spoiled;
    return behind > 1 || (chosen && behind > -1);
  }

  #spoiled(esp: string, kind: Mishap, entries: readonly Entry[]): PlannedRequest {
    if (kind === 'garbage' || kind === 'bad-item') {
      const { draft, code } =
        kind === 'garbage'
          ? senderOf(esp).garbage(this.#context())
          : senderOf(esp).badItem(entries, this.#context());
      const expected = { status: 200, deadLetters: [code] };
      return this.#request(esp, { kind, draft, expected, steps: entries.map(({ step }) => step) });
    }
    // If it were accepted, an unexpected event would turn up in the figures.
    const forged: Entry = { step: this.#mailing.forged(esp), again: false };
    return this.#request(esp, {
      kind,
      draft: senderOf(esp).write([forged], this.#context()),
      flaw: FLAWS[kind],
      expected: { status: refusalOf(esp, kind), deadLetters: [] },
    });
  }

  #request(
    esp: string,
    rest: Partial<PlannedRequest> & Pick<PlannedRequest, 'kind' | 'draft'>,
  ): PlannedRequest {
    const usual = { steps: [], expected: { status: 200, deadLetters: [] }, repeatedLater: false };
    return { index: this.#index++, esp, ...usual, ...rest };
  }

  #context(): WriteContext {
    const { runId, startTime } = this.#options;
    return { runId, requestIndex: this.#index, at: Math.min(this.now, startTime), random: this.#random };
  }

  /** Every kind comes up before any comes up again; one that this ESP cannot have waits for another ESP. */
  #nextMishap(esp: string): Mishap {
    if (this.#mishaps.length === 0) this.#mishaps.push(...MISHAPS);
    const possible = this.#mishaps.filter((mishap) => isPossible(esp, mishap));
    const next = possible.length === 0 ? 'wrong-signature' : this.#random.pick(possible);
    const place = this.#mishaps.indexOf(next);
    if (place >= 0) this.#mishaps.splice(place, 1);
    return next;
  }
}

const FLAWS: { readonly [mishap in Mishap]?: Flaw } = {
  'wrong-signature': 'wrong',
  'missing-signature': 'missing',
  stale: 'stale',
};

function isPossible(esp: string, mishap: Mishap): boolean {
  const http = findAdapter(esp)?.http;
  if (mishap === 'stale') return senderOf(esp).dated;
  if (mishap === 'wrong-content-type') return http?.contentTypes.length !== 0;
  // Events that are a query have no body.
  if (mishap === 'too-large') return http?.methods.includes('POST') ?? true;
  return true;
}

function refusalOf(esp: string, kind: Mishap): number {
  if (kind === 'unknown-source') return 404;
  if (kind === 'wrong-content-type') return 415;
  if (kind === 'too-large') return 413;
  return findAdapter(esp)?.http.answers.unauthorized ?? 401;
}
