import type { NormalizeCode } from '@email-events/esps';
import type { SenderCredentials, SimulatedEsp } from '../credentials.ts';
import type { Step } from '../lifecycle.ts';
import type { Random } from '../random.ts';

/**
 * One ESP as a sender of webhooks: how it writes what happened, how it signs. Writing is a pure function of its
 * arguments; only signing depends on the time at which the request goes out.
 */
export interface Sender {
  readonly esp: SimulatedEsp;
  /** How many entries its next request will hold. */
  batchSize(random: Random): number;
  write(entries: readonly Entry[], context: WriteContext): Draft;
  /** Prepares the keys once. */
  signer(credentials: SenderCredentials): Signer;
  /** How its events name what the step is about; undefined: it does not say. */
  names(step: Step): EventNames;
  /** Properly signed, but the body cannot be read: one dead letter. */
  garbage(context: WriteContext): BadDraft;
  /** Good entries and one that cannot be read (only that one, if it sends one event a request): one dead letter. */
  badItem(entries: readonly Entry[], context: WriteContext): BadDraft;
}

export interface Entry {
  readonly step: Step;
  /** Told before, in another request. */
  readonly again: boolean;
}

export interface WriteContext {
  readonly runId: string;
  /** Unique in the plan. */
  readonly requestIndex: number;
  /** Epoch milliseconds of the simulated time. */
  readonly at: number;
  readonly random: Random;
}

/** A request before it is signed. */
export interface Draft {
  /** The ESP's id of the request, where it has one: webhook-id, token, SNS MessageId. */
  readonly id: string;
  readonly body: string | Buffer;
}

export interface BadDraft {
  readonly draft: Draft;
  readonly code: NormalizeCode;
}

export interface EventNames {
  readonly campaign?: string | undefined;
  readonly variant?: string | undefined;
  readonly scope?: string | undefined;
  /** Whether the event says that a machine opened or clicked. */
  readonly machine?: boolean | undefined;
}

/** The deliberate error of a signature. */
export type Flaw = 'wrong' | 'missing' | 'stale';

export type Signer = (draft: Draft, now: number, flaw?: Flaw) => Signed;

export interface Signed {
  /** Lower-case names. */
  readonly headers: { readonly [name: string]: string };
  readonly body: Buffer;
  /** Absent: POST. */
  readonly method?: 'GET' | undefined;
  /** With its question mark. */
  readonly query?: string | undefined;
}

/** ESPs that put a time under the signature, so that a request can be too old. */
export const DATED: readonly SimulatedEsp[] = [
  'sendgrid',
  'mailgun',
  'standard-webhooks',
  'resend',
  'loops',
  'customerio',
];
/** ESPs that put several events into a request. */
export const BATCHING: readonly SimulatedEsp[] = [
  'sendgrid',
  'standard-webhooks',
  'mailtrap',
  'sparkpost',
  'mandrill',
  'mailjet',
  'brevo',
  'unisender-go',
];
/** ESPs that sign each repetition anew; the others send what they have. */
export const SIGNING_ANEW: readonly SimulatedEsp[] = ['standard-webhooks', 'resend', 'loops'];
export const STALE_MS = 48 * 3_600_000;

/** The sender's own data, as every ESP with metadata carries it. */
export function metadataOf(step: Step, runId: string): { readonly [key: string]: string } {
  const { message } = step;
  return {
    run: runId,
    customer: `c${message.addressees[0]?.recipient.index ?? 0}`,
    programme: message.programme.name,
  };
}

export const addressOf = (step: Step): string => step.message.addressees[0]?.address ?? '';
export const bytesOf = (body: string | Buffer): Buffer =>
  typeof body === 'string' ? Buffer.from(body) : body;
