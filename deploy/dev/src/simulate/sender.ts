import type { EspRequest, NormalizeCode } from '@email-events/esps';
import { type Account, accountOf, type Signer } from '@email-events/esps/accounts';
import { withoutProof } from '@email-events/esps/accounts/kit/signing';
import {
  type Draft,
  type Entry,
  type EventNames,
  everythingLeft,
  type Random,
  type Speech,
  type WriteContext,
} from '@email-events/esps/accounts/kit/speech';
import { PROGRAMMES } from './population.ts';

/** The fault that a signature has on purpose. */
export type Flaw = 'wrong' | 'missing' | 'stale';

export interface BadDraft {
  readonly draft: Draft;
  readonly code: NormalizeCode;
}

/** Signs a draft, and sends it to this path. */
export type DraftSigner = (draft: Draft, path: string, now: number, flaw?: Flaw) => EspRequest;

/** One ESP as a sender of webhooks: turns entries into requests in its account's words. */
export class Sender {
  readonly esp: string;
  readonly speech: Speech;
  /** It puts several events into a request. */
  readonly batches: boolean;
  /** It puts the time of sending under its signature, so that a request can be too old. */
  readonly dated: boolean;
  readonly #account: Account;

  constructor(account: Account) {
    const { esp, speech, contract } = account;
    this.esp = esp;
    this.speech = speech;
    this.batches = speech.batchSize !== undefined;
    this.dated = contract.window !== null && !speech.signsOwnTime;
    this.#account = account;
  }

  /** How many entries its next request will hold. */
  batchSize(random: Random): number {
    return this.speech.batchSize?.(random) ?? 1;
  }

  write(entries: readonly Entry[], context: WriteContext): Draft {
    const events = entries.map((entry) => this.speech.event(entry, context));
    return this.#draft(this.#body(events, context), context, idOf(entries, context));
  }

  names(step: Entry['step']): EventNames {
    return this.speech.names?.(step) ?? everythingLeft(step);
  }

  /** Properly signed, but the body cannot be read: one dead letter. */
  garbage(context: WriteContext): BadDraft {
    const { code, body } = this.speech.garbage?.(context) ?? {
      code: 'NORMALIZE_BODY_UNREADABLE',
      body: `{"run":"${context.runId}","eve`,
    };
    return { code, draft: this.#draft(body, context, badId(context)) };
  }

  /** Good entries and one that cannot be read (only that one, if it sends one event a request): one dead letter. */
  badItem(entries: readonly Entry[], context: WriteContext): BadDraft {
    const { random } = context;
    const bad = this.speech.badEvents?.(context);
    const [code, event] = bad ? random.pick(bad) : this.#badEvent(entries.length > 0, context);
    const events: unknown[] = entries.map((entry) => this.speech.event(entry, context));
    // The one place in an empty list is chosen too, or not, as it ever was: a seed keeps giving the same requests.
    const place = bad && events.length === 0 ? 0 : random.int(0, events.length);
    events.splice(place, 0, event);
    return { code, draft: this.#draft(this.#body(events, context), context, badId(context)) };
  }

  /** With these keys, which are prepared once. */
  signer(key: unknown): DraftSigner {
    const { contract, speech } = this.#account;
    const own = this.#account.signer(key);
    // Where the content is not signed, only another key makes a request wrong.
    const stranger =
      contract.tampered === 'unnoticed' && typeof key === 'string' ? this.#account.signer(`${key}x`) : null;
    return ({ id, body, at, sns }, path, now, flaw) => {
      const time = at ?? (flaw === 'stale' ? now - OLD_MS : now);
      const signed = (by: Signer) =>
        by.sign({ id, body, at: time, receivedAt: now, url: path, ...(sns ? { sns } : {}) });
      if (flaw === 'missing') return withoutProof(signed(own), contract);
      if (flaw !== 'wrong') return signed(own);
      return stranger ? signed(stranger) : (speech.forged?.(signed(own)) ?? longer(signed(own)));
    };
  }

  #body(events: readonly unknown[], { random }: WriteContext): string {
    return this.speech.body?.(events, random) ?? JSON.stringify(events[0]);
  }

  #draft(body: string | Buffer, context: WriteContext, id: string): Draft {
    return this.speech.draft?.(body, context) ?? { id, body };
  }

  #badEvent(isBatch: boolean, context: WriteContext): readonly [NormalizeCode, unknown] {
    const { runId, requestIndex, at, random } = context;
    if (isBatch && random.chance(0.5)) return ['NORMALIZE_ITEM_INVALID', `${runId} is no event`];
    const programme = random.pick(PROGRAMMES);
    const message = {
      ...{ index: 0, esp: this.esp, programme, variant: random.pick(programme.variants) },
      ...{ id: `${runId}-bad-${requestIndex}`, addressees: [], sentAt: at },
    };
    const step = { id: -1, message, type: 'delivered', at, detail: {} } as const;
    return ['NORMALIZE_RECIPIENT_MISSING', this.speech.event({ step, again: false }, context)];
  }
}

const SENDERS = new Map<string, Sender>();

/** @throws Error if the ESP has no account. */
export function senderOf(esp: string): Sender {
  const sender = SENDERS.get(esp) ?? new Sender(accountOf(esp));
  SENDERS.set(esp, sender);
  return sender;
}

// The longest window is a week.
const OLD_MS = 9 * 86_400_000;

/** Changed on its way. */
const longer = (request: EspRequest): EspRequest => ({
  ...request,
  body: Buffer.concat([request.body, Buffer.from(' ')]),
});

/** Where a request carries one event, its id belongs to the event. */
function idOf(entries: readonly Entry[], { runId, requestIndex }: WriteContext): string {
  const step = entries[0]?.step;
  // A forged message has no number, so the number of the request names it.
  return step && step.id >= 0 ? `msg_${runId}_${step.id}` : `msg_${runId}_forged_${requestIndex}`;
}

const badId = ({ runId, requestIndex }: WriteContext) => `msg_${runId}_bad_${requestIndex}`;
