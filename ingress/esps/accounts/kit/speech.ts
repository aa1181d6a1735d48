import type { EspRequest, NormalizeCode } from '@email-events/esps';
import type { EventType } from '@email-events/schemas';
import type { Step } from './story.ts';

export type * from './story.ts';

/**
 * How an ESP reports what happens to messages. Pure functions of their arguments; only signing depends on the time at which
 * a request goes out.
 */
export interface Speech {
  readonly use: Use;
  /** Types of which it has no word. */
  readonly silentOn: readonly EventType[];
  /** The scopes that a recipient can leave there, one of them by chance; absent: all mail. */
  readonly leaves?: readonly Scope[];
  /** The scopes that a recipient can join again; absent: the ESP reports no such thing. */
  readonly returns?: readonly Scope[];
  /** It says nothing of a failure that is not a hard bounce. */
  readonly hardBouncesOnly?: true;
  /** Its times are whole seconds. */
  readonly wholeSeconds?: true;
  /** It reports the addressees of a message together. */
  readonly severalAddressees?: true;
  /** It is often set up to tell of bounces and complaints twice, in two formats. */
  readonly inTwoFormats?: true;
  /** The time under its signature is that of the event, not that of sending. */
  readonly signsOwnTime?: true;
  /** It signs each repetition of a request again; others send what they have. */
  readonly signsAnew?: true;
  /** Facts that its events do not carry. */
  readonly omits?: readonly ('metadata' | 'url')[];
  /** One event in the ESP's words. An empty address stands for none. */
  event(entry: Entry, context: WriteContext): object;
  /** How many events its next request holds; absent: one in each. */
  batchSize?(random: Random): number;
  /** The body before it is signed; absent: the JSON of the only event. */
  body?(events: readonly unknown[], random: Random): string;
  /** The request around a body; absent: an id that belongs to the event, or to the request. */
  draft?(body: string | Buffer, context: WriteContext): Draft;
  /** How its events name what the step is about; absent: no names, and a recipient who leaves, leaves everything. */
  names?(step: Step): EventNames;
  /** A body that cannot be read, however well it is signed; absent: JSON that ends too early. */
  garbage?(context: WriteContext): Garbage;
  /** Events that cannot be read, with their codes; absent: one without a recipient, or, in a list, a text. */
  badEvents?(context: WriteContext): readonly (readonly [code: NormalizeCode, event: unknown])[];
  /** A signed request with something else in it; absent: with a space behind its body. */
  forged?(request: EspRequest): EspRequest;
}

export type Scope = 'all' | 'stream';

/** How much of the simulated mail it sends, and what it is mostly used for. */
export interface Use {
  /** Its place among the ESPs that are played if no others are asked for; absent: it is not one of them. */
  readonly rank?: number;
  /** Share of the mail, relative to the other ESPs that are played. */
  readonly share: number;
  /** Share of campaigns in its mail. */
  readonly campaigns: number;
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
  /** The time that is signed, whenever it is sent; absent: the time of sending. */
  readonly at?: number;
  readonly sns?: SnsInput;
}

/** Parts of an SNS message that are other than usual; for tests too. */
export interface SnsInput {
  readonly type?: 'Notification' | 'SubscriptionConfirmation' | 'UnsubscribeConfirmation';
  readonly topicArn?: string;
  /** Undefined: no such field. Null: as Lambda writes an absent one. */
  readonly subject?: string | null;
  readonly signatureVersion?: '1' | '2';
  readonly certificateUrl?: string;
  readonly subscribeUrl?: string;
}

export interface Garbage {
  readonly code: NormalizeCode;
  readonly body: string | Buffer;
}

export interface EventNames {
  readonly campaign?: string | undefined;
  readonly variant?: string | undefined;
  readonly scope?: string | undefined;
  /** Whether the event says that a machine opened or clicked. */
  readonly machine?: boolean | undefined;
}

/** Seeded random choices: the same seed and the same calls give the same values. */
export interface Random {
  /** Whole number from `from` to `to`, both included. */
  int(from: number, to: number): number;
  /** True with this probability. */
  chance(probability: number): boolean;
  pick<T>(values: readonly T[]): T;
  /** One of them, by its weight. */
  weighted<T>(values: readonly T[], weight: (value: T) => number): T;
  /** Lower-case hex digits. */
  hex(length: number): string;
  uuid(): string;
  /** Another stream of choices, so that one use does not shift the other's. */
  fork(salt: number): Random;
}

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

/** Of a campaign's messages, its name. */
export const campaignOf = ({ message: { programme } }: Step): string | undefined =>
  programme.kind === 'campaign' ? programme.name : undefined;

/** Of a campaign's messages, the name of their variant. */
export const variantOf = (step: Step): string | undefined =>
  campaignOf(step) === undefined ? undefined : step.message.variant.name || undefined;

/** The ESP's id of the event, the same however often it is told. */
export const eventIdOf = (step: Step, { runId }: WriteContext): string => `${runId}-event-${step.id}`;

export const everythingLeft = ({ detail }: Step): EventNames => ({
  scope: detail.scope === undefined ? undefined : 'all',
});

/** Who opened or clicked, where the event says it of both. */
export const machineOf = ({ type, detail }: Step): boolean | undefined =>
  type === 'opened' || type === 'clicked' ? detail.machine : undefined;
