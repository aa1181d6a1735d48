import type { EventType } from '@email-events/schemas';

// The life of a message, before any ESP puts it into words. The simulator makes it up; accounts report it.

/** One message as an ESP sends it; to several recipients only where the ESP reports them together. */
export interface Message {
  readonly index: number;
  readonly esp: string;
  readonly programme: Programme;
  readonly variant: Variant;
  /** Starts with the run's id; every id that the ESP gives the message contains it. */
  readonly id: string;
  readonly addressees: readonly Addressee[];
  /** Epoch milliseconds. */
  readonly sentAt: number;
}

export interface Addressee {
  readonly recipient: Recipient;
  /** How many messages the recipient has been sent with this one. */
  readonly messages: number;
  /** As the sender wrote it. */
  readonly address: string;
}

export interface Recipient {
  readonly index: number;
  /** Recipient key: lower case, domain in ASCII form. */
  readonly key: string;
  readonly domain: Domain;
  /** flaky: every message bounces softly for a long while. */
  readonly habit: 'ordinary' | 'flaky';
}

/** How a receiving domain treats mail; probabilities for one message. */
export interface Domain {
  readonly name: string;
  /** Share of the recipients. */
  readonly share: number;
  readonly deferred: number;
  readonly hardBounce: number;
  readonly softBounce: number;
  readonly complaint: number;
  /** A machine (privacy proxy, image cache) fetches the pixel first. */
  readonly machineOpen: number;
  readonly mx: string;
}

/** A mail programme: one campaign (perhaps with A/B variants) or one stream of transactional mail. */
export interface Programme {
  readonly name: string;
  readonly kind: 'campaign' | 'transactional';
  readonly variants: readonly Variant[];
  /** List or message stream that a recipient can leave. */
  readonly stream: string;
  readonly sender: string;
  /** When it sends, as fractions of the simulated time. */
  readonly from: number;
  readonly to: number;
  readonly share: number;
  readonly open: number;
  /** Of those who open. */
  readonly click: number;
  readonly tags: readonly string[];
}

export interface Variant {
  /** Empty: the programme has no variants. */
  readonly name: string;
  readonly subject: string;
  /** Multiplies the programme's open and click rates. */
  readonly appeal: number;
}

/** Something that happens to a message: one event for each addressee. */
export interface Step {
  /** Unique in the plan: what makes it *that* event, before any vendor's format. */
  readonly id: number;
  readonly message: Message;
  readonly type: EventType;
  /** Epoch milliseconds; whole seconds where the ESP knows no finer. */
  readonly at: number;
  readonly detail: StepDetail;
}

export interface StepDetail {
  readonly attempt?: number;
  readonly failure?: Failure;
  readonly dropReason?: 'bounced' | 'unsubscribed' | 'complained';
  readonly machine?: boolean;
  readonly client?: Client;
  readonly url?: string;
  readonly scope?: 'all' | 'stream';
}

/** A receiving server's refusal. */
export interface Failure {
  readonly bounceClass: 'hard' | 'soft';
  readonly category: 'invalid_mailbox' | 'domain_not_found' | 'mailbox_full' | 'policy';
  readonly code: number;
  readonly status: string;
  readonly text: string;
}

export interface Client {
  readonly userAgent: string;
  readonly ip: string;
}
