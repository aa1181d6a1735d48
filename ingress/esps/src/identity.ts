import { hash } from 'node:crypto';
import { recipientKey } from '@email-events/schemas';
import type { EspEvent, FormerReading } from './adapter.ts';

/**
 * Which rules give an event its id. It goes into the raw record, so that records which were received under earlier rules keep the
 * ids that they gave. 1: records without a version. 2: SendGrid's events by what they say, not by an id that a repetition need not have;
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
  /** False: no copy can have been received under the rules of an earlier version. Default: one can. */
  readonly hasFormerIds?: boolean;
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
  const { esp, account = null, accountNow = null, identityVersion = IDENTITY_VERSION } = origin;
  const { type, recipient, identity } = event;
  const formerly = formerReadings(event, origin);
  const key = recipientKey(recipient);
  const current: Named = { type, key, identity };
  const others = formerly.map(
    (former): Named => ({
      type: former.type ?? type,
      key: former.recipient === undefined ? key : recipientKey(former.recipient),
      identity: former.identity ?? identity,
    }),
  );
  const [first] = others;
  const keepsOld = identityVersion < IDENTITY_VERSION && others.length === 1 && first?.type === type;
  const event_id = idOf(keepsOld && first ? first : current, esp, account);
  if (others.length === 0 && account === null && accountNow === null) return { event_id, known_as: [] };
  const known_as: string[] = [];
  for (const of of accountsOf(account, accountNow)) {
    for (const named of [current, ...others]) {
      const id = idOf(named, esp, of);
      if (id !== event_id && !known_as.includes(id)) known_as.push(id);
    }
  }
  return { event_id, known_as };
}

/** A version changes what identifies an event of the same type and recipient; other readings are of earlier mappings, and rare. */
function formerReadings({ formerly = NOTHING }: EspEvent, origin: IdentityOrigin): readonly FormerReading[] {
  if (origin.hasFormerIds !== false || formerly.length === 0) return formerly;
  return formerly.filter(({ type, recipient }) => type !== undefined || recipient !== undefined);
}

/** Under which accounts a copy may have been received. */
function accountsOf(account: string | null, accountNow: string | null): readonly (string | null)[] {
  if (account === null) return accountNow === null ? NO_ACCOUNT : [null, accountNow];
  return accountNow === null || accountNow === account ? [null, account] : [null, account, accountNow];
}
const NO_ACCOUNT = [null];

interface Named {
  readonly type: EspEvent['type'];
  /** Recipient key. */
  readonly key: string;
  readonly identity: EspEvent['identity'];
}

/**
 * 32 hex digits, of a list as JSON: account if there is one, ESP, type, recipient key, identity. JSON keeps the parts apart: no two lists
 * have the same text, and no list begins with an account and an ESP. Put together from two lists, since making one costs more.
 */
function idOf({ type, key, identity }: Named, esp: string, account: string | null): string {
  const head = JSON.stringify(account === null ? [esp, type, key] : [{ account }, esp, type, key]);
  const parts = identity.length === 0 ? ']' : `,${JSON.stringify(identity).slice(1)}`;
  return hash('sha256', head.slice(0, -1) + parts, 'hex').slice(0, 32);
}
