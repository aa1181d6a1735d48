import type { Answer, Call, CrmHarness, PlayedCrm } from '../testing/harness.ts';
import { CallWindow } from '../testing/limits.ts';

const KEY = 'xkeysib-0123456789abcdef-example';
/** Lists of the account. */
export const LISTS = [7, 8];
const MOST = 100;
const PER_MS = 1_000;

/** Contacts of the API v3. */
export const harness: CrmHarness = {
  play: (faster = 1) => play({ most: MOST * faster }),
  throttled: (seconds) => ({ answer: overLimit(seconds), afterMs: seconds * 1_000 }),
};

export const overLimit = (seconds: number): Answer => ({
  status: 429,
  headers: {
    'x-sib-ratelimit-limit': String(MOST),
    'x-sib-ratelimit-remaining': '0',
    'x-sib-ratelimit-reset': String(seconds),
  },
  body: JSON.stringify({ code: 'too_many_requests', message: 'as documented' }),
});

export interface PlayedBrevo extends PlayedCrm {
  /** Somebody else makes a contact. */
  add(email: string, fields?: Partial<BrevoContact>): void;
  contact(email: string): BrevoContact | undefined;
}

export interface BrevoContact {
  emailBlacklisted: boolean;
  listIds: number[];
}

/** `most`: calls in a second. */
export function play({ most = MOST } = {}): PlayedBrevo {
  const contacts = new Map<string, BrevoContact>();
  const window = new CallWindow(most, PER_MS);
  const add = (email: string, fields: Partial<BrevoContact> = {}) =>
    contacts.set(email, { emailBlacklisted: false, listIds: [], ...fields });

  function answer(call: Call): Answer {
    if (call.headers['api-key'] !== KEY) return problem(401, 'unauthorized');
    if (!window.takes()) return overLimit(1);
    const { pathname } = call.url;
    const [, list] = /^\/v3\/contacts\/lists\/(\d+)$/.exec(pathname) ?? [];
    if (pathname === '/v3/account') return json(200, { email: 'owner@example.com', plan: [] });
    if (list !== undefined) return LISTS.includes(Number(list)) ? json(200, { id: Number(list) }) : missing;
    if (pathname === '/v3/contacts') return call.method === 'POST' ? create(call) : page(contacts, call.url);
    const email = recipientOf(call);
    const found = email === undefined ? undefined : contacts.get(email);
    if (email === undefined || !found) return missing;
    if (call.method === 'GET')
      return json(200, { email, id: 1, smsBlacklisted: false, attributes: {}, ...found });
    if (call.method === 'DELETE') return { status: contacts.delete(email) ? 204 : 404 };
    if (call.method !== 'PUT') return problem(405, 'method_not_allowed');
    return update(found, call);
  }

  function create({ body }: Call): Answer {
    const {
      email,
      emailBlacklisted = false,
      listIds = [],
      updateEnabled = false,
    } = JSON.parse(body) as {
      email?: string;
      updateEnabled?: boolean;
    } & Partial<BrevoContact>;
    if (!email?.includes('@')) return problem(400, 'invalid_parameter');
    if (contacts.has(email) && !updateEnabled) return problem(400, 'duplicate_parameter');
    add(email, { emailBlacklisted, listIds });
    return json(201, { id: 1 });
  }

  function update(found: BrevoContact, { body }: Call): Answer {
    const change = JSON.parse(body) as {
      emailBlacklisted?: boolean;
      unlinkListIds?: number[];
      attributes?: { EMAIL?: string };
    };
    // Whoever is given another address is subscribed again.
    if (change.attributes?.EMAIL !== undefined) found.emailBlacklisted = false;
    if (change.emailBlacklisted !== undefined) found.emailBlacklisted = change.emailBlacklisted;
    found.listIds = found.listIds.filter((list) => !change.unlinkListIds?.includes(list));
    return { status: 204 };
  }

  return {
    settings: (base) => ({ url: base, secrets: [KEY] }),
    wrongSecrets: ['xkeysib-of-another-account'],
    answer,
    recipientOf,
    held(recipient) {
      const found = contacts.get(recipient);
      return found && { suppressed: found.emailBlacklisted };
    },
    recipients: () => [...contacts.keys()],
    optOut: (recipient) => add(recipient, { ...contacts.get(recipient), emailBlacklisted: true }),
    importContact: (recipient) => void add(recipient),
    add,
    contact: (email) => contacts.get(email),
  };
}

function page(contacts: ReadonlyMap<string, BrevoContact>, { searchParams }: URL): Answer {
  const [limit, offset] = [Number(searchParams.get('limit')), Number(searchParams.get('offset'))];
  if (limit > 1_000) return problem(400, 'out_of_range');
  const some = [...contacts].slice(offset, offset + limit);
  return json(200, {
    contacts: some.map(([email, fields]) => ({ email, ...fields })),
    count: contacts.size,
  });
}

/** /v3/contacts/{address}, or the address in what is created. */
function recipientOf({ method, url, body }: Call): string | undefined {
  if (method === 'POST' && url.pathname === '/v3/contacts')
    return (JSON.parse(body) as { email?: string }).email;
  const [, email] = /^\/v3\/contacts\/([^/]+)$/.exec(url.pathname) ?? [];
  return email === undefined ? undefined : decodeURIComponent(email);
}

const json = (status: number, body: object): Answer => ({ status, body: JSON.stringify(body) });
const problem = (status: number, code: string) => json(status, { code, message: 'as documented' });
const missing = problem(404, 'document_not_found');
