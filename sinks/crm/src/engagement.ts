import { ENGAGEMENTS } from './config.ts';

export type EngagementName = (typeof ENGAGEMENTS)[number];

/** Epoch milliseconds; what is left out is not known. */
export type Instants = { readonly [N in EngagementName]?: number };

/** The CRM's fields, or whatever it calls them. */
export type EngagementFields = { readonly [N in EngagementName]: string };

export interface Engagement {
  readonly recipient: string;
  readonly instants: Instants;
}

/** absent: nobody there has the address. unchanged: the CRM has these instants, or newer ones. */
export type EngageResult = 'written' | 'unchanged' | 'absent';

/**
 * Tells one CRM of engagement. It makes no contact, and touches nothing but the three fields: least of all who is subscribed. Throws
 * CrmError, never retries, remembers nobody.
 */
export interface EngagementAdapter {
  /** Are the fields there, and of the right type? Leaves no trace. */
  check(signal: AbortSignal): Promise<void>;
  /** Brings each field forward to its instant, and never back. Called again after a lost answer, a restart or a replay. */
  engage(engagement: Engagement, signal: AbortSignal): Promise<EngageResult>;
  close(): Promise<void>;
}

/** The newest of each. */
export function newestInstants(one: Instants, other: Instants): Instants {
  const newest: { [N in EngagementName]?: number } = { ...one };
  for (const name of ENGAGEMENTS) {
    const instant = other[name];
    if (instant !== undefined && instant > (newest[name] ?? Number.NEGATIVE_INFINITY)) newest[name] = instant;
  }
  return newest;
}
