import type { InputRecord, PublishRecord } from '@email-events/core';
import type { EspRequest } from '@email-events/esps';

/** A request that did not prove that it is genuine, as it came, with all that is needed to look at it again. */
export interface Quarantined {
  readonly requestId: string;
  readonly source: string;
  /** Why it was refused. */
  readonly code: string;
  /** The sender's address. */
  readonly sender: string | null;
  readonly request: EspRequest;
}

/** Where a record of email.quarantine is. */
export interface Place {
  readonly partition: number;
  readonly offset: number;
}

const HELD = 'quarantined';
const RELEASED = 'released';

/**
 * The record of a request: its body, and beside it the method, the URL and all headers as they came. These may have credentials in them, wrong ones
 * or right ones, since without them nothing can be verified again.
 */
export function heldRecord({ request, ...known }: Quarantined): PublishRecord {
  const { body, ...rest } = request;
  return { value: body, headers: { [HELD]: Buffer.from(JSON.stringify({ ...known, ...rest })) } };
}

/** Undefined: it holds no request. */
export function heldIn({ value, headers }: Pick<InputRecord, 'value' | 'headers'>): Quarantined | undefined {
  const said = objectIn(headers[HELD]);
  if (value === null || !said) return undefined;
  const { requestId, source, code, sender = null, method, url, headers: own, receivedAt } = said;
  if (typeof requestId !== 'string' || typeof source !== 'string' || typeof code !== 'string')
    return undefined;
  if (typeof method !== 'string' || typeof url !== 'string' || typeof receivedAt !== 'number')
    return undefined;
  const request = { method, url, headers: (own ?? {}) as EspRequest['headers'], body: value, receivedAt };
  return { requestId, source, code, sender: typeof sender === 'string' ? sender : null, request };
}

/** Says that the request there has been released. Written in the same transaction as the raw record. */
export const releasedHeaders = (place: Place): { readonly [name: string]: Buffer } => ({
  [RELEASED]: Buffer.from(JSON.stringify(place)),
});

export function releasedIn({ headers }: Pick<InputRecord, 'headers'>): Place | undefined {
  const said = objectIn(headers[RELEASED]);
  const { partition, offset } = said ?? {};
  return Number.isSafeInteger(partition) && Number.isSafeInteger(offset)
    ? { partition: partition as number, offset: offset as number }
    : undefined;
}

function objectIn(bytes: Buffer | undefined): { readonly [name: string]: unknown } | undefined {
  if (bytes === undefined) return undefined;
  try {
    const said: unknown = JSON.parse(bytes.toString());
    return typeof said === 'object' && said !== null ? (said as { [name: string]: unknown }) : undefined;
  } catch {
    return undefined;
  }
}
