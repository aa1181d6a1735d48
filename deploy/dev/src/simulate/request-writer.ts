import { findAdapter } from '@email-events/esps';
import type { SimulatedEsp } from './credentials.ts';
import type { Mailing } from './mailing.ts';
import { MISHAPS, type Mishap, type PlannedRequest } from './planned-request.ts';
import type { Random } from './random.ts';
import { senders } from './senders/index.ts';
import { BATCHING, DATED, type Entry, type Flaw, type WriteContext } from './senders/sender.ts';

export interface WriterOptions {
  readonly runId: string;
  /** Epoch milliseconds. */
  readonly startTime: number;
  readonly duplicates: number;
  readonly invalid: number;
}

/** What reaches the pipeline next, by the time at which it does. */
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
  readonly #open = new Map<SimulatedEsp, { readonly size: number; readonly entries: Entry[] }>();
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
    const open = this.#open.get(esp) ?? { size: senders[esp].batchSize(this.#random), entries: [] };
    this.#open.set(esp, open);
    open.entries.push(arrival.entry);
    return open.entries.length >= open.size ? this.#close(esp, open.entries) : [];
  }

  /** What is left in unfinished batches. */
  flush(): PlannedRequest[] {
    return [...this.#open].flatMap(([esp, { entries }]) => this.#close(esp, entries));
  }

  #close(esp: SimulatedEsp, entries: readonly Entry[]): PlannedRequest[] {
    this.#open.delete(esp);
    const so = this.#so;
    for (const { step, again } of entries) so[again ? 'repeated' : 'told'] += step.message.addressees.length;
    const mishap = this.#isSpoiled() ? this.#nextMishap(esp) : undefined;
    if (mishap !== undefined) so.spoiled++;
    if (mishap === 'bad-item' && BATCHING.includes(esp)) return [this.#spoiled(esp, mishap, entries)];
    const repeatedLater = this.#isRepeated(entries.length);
    if (repeatedLater) so.repeated += entries.length;
    const good = this.#request(esp, {
      kind: 'events',
      draft: senders[esp].write(entries, this.#context()),
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

  #spoiled(esp: SimulatedEsp, kind: Mishap, entries: readonly Entry[]): PlannedRequest {
    if (kind === 'garbage' || kind === 'bad-item') {
      const { draft, code } =
        kind === 'garbage'
          ? senders[esp].garbage(this.#context())
          : senders[esp].badItem(entries, this.#context());
      const expected = { status: 200, deadLetters: [code] };
      return this.#request(esp, { kind, draft, expected, steps: entries.map(({ step }) => step) });
    }
    // Were it accepted, an event would turn up that nobody expects.
    const forged: Entry = { step: this.#mailing.forged(esp), again: false };
    return this.#request(esp, {
      kind,
      draft: senders[esp].write([forged], this.#context()),
      flaw: FLAWS[kind],
      expected: { status: refusalOf(esp, kind), deadLetters: [] },
    });
  }

  #request(
    esp: SimulatedEsp,
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
  #nextMishap(esp: SimulatedEsp): Mishap {
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

function isPossible(esp: SimulatedEsp, mishap: Mishap): boolean {
  const http = findAdapter(esp)?.http;
  if (mishap === 'stale') return DATED.includes(esp);
  if (mishap === 'wrong-content-type') return http?.contentTypes.length !== 0;
  // Events that are a query have no body.
  if (mishap === 'too-large') return http?.methods.includes('POST') ?? true;
  return true;
}

function refusalOf(esp: SimulatedEsp, kind: Mishap): number {
  if (kind === 'unknown-source') return 404;
  if (kind === 'wrong-content-type') return 415;
  if (kind === 'too-large') return 413;
  return findAdapter(esp)?.http.answers.unauthorized ?? 401;
}
