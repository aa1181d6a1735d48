import { instantsIn } from '../testing/engaged.ts';
import type { Answer, Call, CrmHarness, PlayedCrm } from '../testing/harness.ts';
import { CallWindow } from '../testing/limits.ts';

const TOKEN = 'pat-eu1-11111111-2222-3333-4444-555555555555';
/** Of an app that may read preferences, not write them. */
export const READ_ONLY = 'pat-eu1-99999999-2222-3333-4444-555555555555';
/** Subscription types of the account. */
export const TYPES = [51, 52];
const PREFERENCES = '/communication-preferences/2026-03';
const GDPR_DELETE = '/crm/v3/objects/contacts/gdpr-delete';
const MOST = 190;
const PER_MS = 10_000;

/** Communication preferences of 2026-03: they belong to addresses, of which no contact need be. */
export const harness: CrmHarness = {
  play: (faster = 1) => play({ most: MOST * faster }),
  throttled: () => ({ answer: overLimit('TEN_SECONDLY_ROLLING'), afterMs: PER_MS }),
  refused: [
    { status: 401, body: JSON.stringify({ status: 'error', category: 'INVALID_AUTHENTICATION' }) },
    { status: 403, body: JSON.stringify({ status: 'error', category: 'MISSING_SCOPES' }) },
  ],
};

export const overLimit = (policyName: string): Answer => ({
  status: 429,
  body: JSON.stringify({ status: 'error', errorType: 'RATE_LIMIT', policyName }),
});

export interface PlayedHubspot extends PlayedCrm {
  /** What the address is off, as the account shows it: `account`, `brand:ID`, `type:ID`. */
  off(email: string): string[];
}

/** `most`: calls in 10 s. `brands`: the account has the add-on, so its own status is that of brand 0. */
export function play({ most = MOST, brands = false } = {}): PlayedHubspot {
  const preferences = new Map<string, Set<string>>();
  const people: People = { contacts: new Map(), blocked: new Set() };
  const window = new CallWindow(most, PER_MS);

  function answer(call: Call): Answer {
    const token = call.headers.authorization?.replace(/^Bearer /, '');
    if (token !== TOKEN && token !== READ_ONLY) return refused(401, 'INVALID_AUTHENTICATION');
    if (!window.takes()) return overLimit('TEN_SECONDLY_ROLLING');
    if (call.url.pathname === GDPR_DELETE)
      return token === READ_ONLY ? refused(403, 'MISSING_SCOPES') : erase(people, call);
    if (call.url.pathname.startsWith('/crm/v3/'))
      return { ...object(people, call), headers: rateHeaders(most, window.left) };
    const answered = call.method === 'GET' ? read(call) : write(call, token === READ_ONLY);
    return { ...answered, headers: rateHeaders(most, window.left) };
  }

  function read({ url }: Call): Answer {
    if (url.pathname === `${PREFERENCES}/definitions`)
      return done(TYPES.map((id) => ({ id: String(id), name: `type ${id}`, isActive: true })));
    const { email, all } = partsOf(url);
    if (email === undefined) return { status: 404 };
    if (url.searchParams.get('channel') !== 'EMAIL' || !email.includes('@'))
      return refused(400, 'VALIDATION_ERROR');
    const off = preferences.get(email) ?? new Set();
    // Documented for reads, too: an empty answer without it.
    if (all && url.searchParams.get('verbose') !== 'true') return done([]);
    if (all) return done([...off].flatMap((what) => wideStatus(email, what)));
    return done(TYPES.map((type) => typeStatus(email, type, off)));
  }

  function write({ method, url, body }: Call, readOnly: boolean): Answer {
    const { email, all } = partsOf(url);
    if (method !== 'POST' || email === undefined) return { status: 405 };
    if (readOnly) return refused(403, 'MISSING_SCOPES');
    if (!email.includes('@')) return refused(400, 'VALIDATION_ERROR');
    if (!all) return writeType(email, body);
    if (url.searchParams.get('channel') !== 'EMAIL') return refused(400, 'VALIDATION_ERROR');
    const brand = url.searchParams.get('businessUnitId');
    return put(email, brand !== null ? `brand:${brand}` : brands ? 'brand:0' : 'account');
  }

  function writeType(email: string, body: string): Answer {
    const { channel, statusState, subscriptionId } = JSON.parse(body) as { [name: string]: unknown };
    if (channel !== 'EMAIL' || !TYPES.includes(subscriptionId as number))
      return refused(400, 'VALIDATION_ERROR');
    if (statusState !== 'UNSUBSCRIBED') throw new Error('somebody is subscribed');
    return put(email, `type:${subscriptionId}`);
  }

  function put(email: string, what: string): Answer {
    const off = preferences.get(email) ?? new Set();
    // The older version of this API refuses what is so already; the newer one does not say.
    if (off.has(what)) return refused(400, 'VALIDATION_ERROR');
    preferences.set(email, off.add(what));
    // Without verbose=true nothing is listed.
    return done([]);
  }

  return {
    settings: (base) => ({ url: base, secrets: [TOKEN] }),
    wrongSecrets: ['pat-eu1-of-another-account'],
    answer,
    recipientOf,
    held(recipient) {
      const off = preferences.get(recipient);
      return off && { suppressed: off.has('account') || off.has('brand:0') };
    },
    recipients: () => [...preferences.keys()],
    optOut(recipient) {
      preferences.set(recipient, (preferences.get(recipient) ?? new Set()).add('account'));
    },
    ...importing(people),
    off: (email) => [...(preferences.get(email) ?? [])],
  };
}

interface People {
  /** Their properties, by address. */
  readonly contacts: Map<string, Record<string, string>>;
  /** Erased for good: no import brings them back. */
  readonly blocked: Set<string>;
}

const CONTACTS = '/crm/v3/objects/contacts/';

/** Contacts by id, or by address if it says so; only properties that there are, and instants as ISO 8601. */
function object({ contacts }: People, { method, url, body }: Call): Answer {
  const names = ['delivered', 'opened', 'clicked'].map((name) => `email_last_${name}`);
  if (url.pathname === '/crm/v3/properties/contacts')
    return {
      status: 200,
      body: JSON.stringify({ results: names.map((name) => ({ name, type: 'datetime' })) }),
    };
  const email = contactIn(url);
  const found = email === undefined ? undefined : contacts.get(email);
  if (email === undefined || !found) return refused(404, 'OBJECT_NOT_FOUND');
  if (method === 'PATCH') {
    const { properties } = JSON.parse(body) as { properties: Record<string, string> };
    const wrong = Object.entries(properties).some(
      ([name, value]) => !names.includes(name) || !Date.parse(value),
    );
    if (wrong) return refused(400, 'VALIDATION_ERROR');
    Object.assign(found, properties);
  }
  const asked = url.searchParams.get('properties')?.split(',') ?? [];
  const shown = asked.map((name) => [name, found[name] ?? null]);
  return { status: 200, body: JSON.stringify({ id: idOf(email), properties: Object.fromEntries(shown) }) };
}

const idOf = (email: string) => Buffer.from(email).toString('hex');

/** The address of the contact that a path names. */
function contactIn({ pathname, searchParams }: URL): string | undefined {
  if (!pathname.startsWith(CONTACTS)) return undefined;
  const named = decodeURIComponent(pathname.slice(CONTACTS.length));
  return searchParams.get('idProperty') === 'email' ? named : Buffer.from(named, 'hex').toString();
}

function erase({ contacts, blocked }: People, { method, body }: Call): Answer {
  if (method !== 'POST') return { status: 405 };
  const { objectId, idProperty } = JSON.parse(body) as { objectId: string; idProperty?: string };
  // Without it, what is given is an id.
  if (idProperty !== 'email') return { status: 404 };
  contacts.delete(objectId);
  blocked.add(objectId);
  return { status: 204 };
}

const rateHeaders = (most: number, left: number) => ({
  'X-HubSpot-RateLimit-Max': String(most),
  'X-HubSpot-RateLimit-Remaining': String(left),
  'X-HubSpot-RateLimit-Interval-Milliseconds': String(PER_MS),
});

function wideStatus(email: string, what: string): object[] {
  const status = { channel: 'EMAIL', subscriberIdString: email, status: 'UNSUBSCRIBED' };
  const [kind, id] = what.split(':');
  if (kind === 'account') return [{ ...status, wideStatusType: 'PORTAL_WIDE' }];
  if (kind !== 'brand') return [];
  return [{ ...status, wideStatusType: 'BUSINESS_UNIT_WIDE', businessUnitId: Number(id) }];
}

const importing = ({ contacts, blocked }: People) => ({
  importContact(recipient: string) {
    if (!blocked.has(recipient)) contacts.set(recipient, {});
  },
  isContact: (recipient: string) => contacts.has(recipient),
  engaged(recipient: string) {
    const found = contacts.get(recipient);
    return found && instantsIn(found, Date.parse);
  },
});

const recipientOf = ({ url, body }: Call): string | undefined =>
  url.pathname === GDPR_DELETE
    ? (JSON.parse(body) as { objectId: string }).objectId
    : (contactIn(url) ?? partsOf(url).email);

const typeStatus = (email: string, subscriptionId: number, off: ReadonlySet<string>) => ({
  channel: 'EMAIL',
  subscriberIdString: email,
  subscriptionId,
  status: off.has(`type:${subscriptionId}`) || off.has('account') ? 'UNSUBSCRIBED' : 'NOT_SPECIFIED',
  timestamp: '2026-11-30T00:00:00Z',
});

/** …/statuses/{address}[/unsubscribe-all] */
function partsOf({ pathname }: URL): { email?: string; all?: boolean } {
  const [, email, all] = /\/2026-03\/statuses\/([^/]+)(\/unsubscribe-all)?$/.exec(pathname) ?? [];
  return email === undefined ? {} : { email: decodeURIComponent(email), all: all !== undefined };
}

const done = (results: readonly object[]): Answer => ({
  status: 200,
  body: JSON.stringify({ status: 'COMPLETE', results, numErrors: 0, errors: [] }),
});

const refused = (status: number, category: string): Answer => ({
  status,
  body: JSON.stringify({ status: 'error', category, message: 'as documented' }),
});
