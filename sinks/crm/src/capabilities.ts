/** Ways in which CRMs differ, as the matrix of the README heads them. All suppress a recipient for all mail, or they would be none of these. */
export const CAPABILITIES = {
  suppressAll: 'suppress all mail',
  suppressStream: 'suppress a stream',
  recordFailures: 'bounce, complaint: date and text',
  createContacts: 'unknown addresses',
  batch: 'batch',
  conditionalWrite: 'conditional write',
  listSuppressed: 'list the suppressed',
  eraseContacts: 'erase a contact',
  engagement: 'engagement',
} as const;

export type CapabilityName = keyof typeof CAPABILITIES;

/** How the adapter does it, in the CRM's words; false: it does not. */
export type CrmCapabilities = { readonly [N in CapabilityName]: string | false };

/** What a CRM publishes of the calls that it takes from an account, whoever makes them. The sink stays below it, all instances together. */
export interface PublishedPace {
  /** All of them hold. Where they differ by plan, those of the smallest: `callsPerSecond` in the settings says otherwise. */
  readonly windows: readonly [CallWindow, ...CallWindow[]];
  /** Calls at a time. */
  readonly concurrency?: number;
  /** Headers that tell what is left; undefined: `ratelimit-*` and `x-ratelimit-*`, which need not be named. */
  readonly headers?: RateHeaders;
}

export interface CallWindow {
  readonly calls: number;
  readonly perMs: number;
}

/** Names in small letters. */
export interface RateHeaders {
  /** Calls that are left until the reset. */
  readonly remaining?: string;
  /** Until the reset: seconds, or an epoch time in seconds or milliseconds, which their size tells apart. */
  readonly reset?: string;
  /** Until the reset, in milliseconds. */
  readonly resetMs?: string;
  /** To wait after a 429, where it is not `retry-after`: seconds, or an epoch time. */
  readonly retryAfter?: string;
}

/** Keeps calls below the limits of the CRM. */
export interface CallPace {
  /** Those of this CRM. */
  readonly headers?: RateHeaders;
  /**
   * Makes the call when it is its turn. Throws CrmError of failure `paused` instead, if the CRM has asked for a pause, or the reason of
   * `signal`. Calls of a `kind`, of which there are few, take about as long as each other.
   */
  run<T extends Announcing>(call: () => Promise<T>, signal: AbortSignal, kind?: string): Promise<T>;
  /** Begins work when its first `calls` calls have their turn, so that they are made without waiting in between. Throws as `run` does. */
  together?<T>(calls: number, work: () => Promise<T>, signal: AbortSignal): Promise<T>;
}

/** The part of an answer that says how many calls the CRM takes. */
export interface Announcing {
  readonly status: number;
  readonly headers: { readonly [name: string]: string | string[] | undefined };
}
