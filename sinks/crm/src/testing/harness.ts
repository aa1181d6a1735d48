/** A call as the CRM receives it. */
export interface Call {
  readonly method: string;
  readonly url: URL;
  /** By name in small letters. */
  readonly headers: { readonly [name: string]: string };
  readonly body: string;
}

export interface Answer {
  readonly status: number;
  readonly headers?: { readonly [name: string]: string };
  readonly body?: string;
}

/** What a CRM holds of a recipient. */
export interface Held {
  /** It mails the recipient no more. */
  readonly suppressed: boolean;
  /** `reason:scope` of each, in any order; only of a CRM that keeps reasons. */
  readonly reasons?: readonly string[];
}

/** A CRM in memory that speaks as the vendor documents, to one account. It knows no recipient at first. */
export interface PlayedCrm {
  /** What leads to it, as in sinks.crm. `base` is the address of its server, without a slash at the end. */
  settings(base: string): { url: string; secrets: string[]; options?: { [name: string]: unknown } };
  /** Secrets of the right form that it does not know. */
  readonly wrongSecrets: readonly string[];
  /** Answers a call. It refuses one without its credentials. */
  answer(call: Call): Answer;
  /** Whom a call is about; undefined: nobody, such as a search or a token. */
  recipientOf(call: Call): string | undefined;
  /** Undefined: it does not know the recipient. */
  held(recipient: string): Held | undefined;
  /** All that it knows. */
  recipients(): string[];
}

/** What `<crm>.harness.ts` exports as `harness`: how to play the CRM to its own adapter. */
export interface CrmHarness {
  play(): PlayedCrm;
  /** How it says "too many calls", where it is not 429 with Retry-After; `afterMs` is what an adapter can know of the wait. */
  throttled?(seconds: number): { readonly answer: Answer; readonly afterMs: number | undefined };
  /** Answers that mean that the credentials are refused, where they are not 401 and 403. */
  readonly refused?: readonly Answer[];
  /** Answers that mean that one recipient's state is refused for good, where they are not 400 and 422. */
  readonly rejected?: readonly Answer[];
}
