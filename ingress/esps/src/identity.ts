import { hash } from 'node:crypto';
import { recipientKey } from '@email-events/schemas';
import type { EspEvent } from './adapter.ts';

/**
 * Which rules give an event its id. It goes into the raw record, so that records which were received under earlier rules keep the
 * ids that they gave. 1: whatever has no version. 2: SendGrid's events by what they say, not by an id that a repetition need not have;
 * types and scopes as of today's mappings.
 */
export const IDENTITY_VERSION = 2;

/** Where an event is from, as far as its id depends on it. */
export interface IdentityOrigin {
  readonly esp: string;
  /** Account that the raw record names; absent or null: none. */
  readonly account?: string | null;
  /** Account that the source belongs to today. */
  readonly accountNow?: string | null;
  /** Of the raw record. */
  readonly identityVersion?: number;
}

export interface EventIds {
  readonly event_id: string;
  /** Ids that a copy may have been given under other rules, or before the account was named. */
  readonly known_as: string[];
}

const NOTHING: readonly never[] = [];

/**
 * The id of an event, and what else a copy of it may be known as. A record keeps the id that it was given when it came, unless
 * today's mapping reads it as another type: that is another event, which is known as the old one.
 */
export function idsOf(event: EspEvent, origin: IdentityOrigin): EventIds {
  const { account = null, accountNow = null, identityVersion = IDENTITY_VERSION } = origin;
  const { formerly = NOTHING } = event;
  const current: Named = { type: event.type, recipient: event.recipient, identity: event.identity };
  const others: Named[] = formerly.map((former) => ({ ...current, ...former }));
  const [first] = others;
  const keepsOld =
    identityVersion < IDENTITY_VERSION &&
    others.length === 1 &&
    first !== undefined &&
    first.type === event.type;
  const own = keepsOld ? first : current;
  const event_id = idOf(own, origin.esp, account);
  if (others.length === 0 && account === null && accountNow === null) return { event_id, known_as: [] };
  const known = new Set<string>();
  for (const named of [current, ...others])
    for (const of of new Set([account, accountNow, null])) known.add(idOf(named, origin.esp, of));
  known.delete(event_id);
  return { event_id, known_as: [...known] };
}

interface Named {
  readonly type: EspEvent['type'];
  readonly recipient: string;
  readonly identity: EspEvent['identity'];
}

/** 32 hex digits. JSON keeps the parts apart: no two lists of parts have the same text, and no list begins with an account and an ESP. */
function idOf({ type, recipient, identity }: Named, esp: string, account: string | null): string {
  const parts = [esp, type, recipientKey(recipient), ...identity];
  return hash('sha256', JSON.stringify(account === null ? parts : [{ account }, ...parts]), 'hex').slice(
    0,
    32,
  );
}
