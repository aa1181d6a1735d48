import type { Answer, Call, CrmHarness, PlayedCrm } from '../testing/harness.ts';

const LOGIN = 'email-events:0123456789abcdefghijklmnopqrstuv';
/** Of a user that may not look up by an expression. */
export const NO_QUERIES = 'other:0123456789abcdefghijklmnopqrstuv';
/** Lists that there are. */
export const LISTS = [3, 4];

/** Subscribers and lists of listmonk 6, as far as the adapter may touch them. */
export const harness: CrmHarness = { play: () => play() };

export interface Subscriber {
  status: 'enabled' | 'disabled' | 'blocklisted';
  /** By list. */
  subscriptions: { [list: number]: 'confirmed' | 'unconfirmed' | 'unsubscribed' };
}

export interface PlayedListmonk extends PlayedCrm {
  /** Somebody else makes a subscriber. */
  add(email: string, fields?: Partial<Subscriber>): void;
  subscriber(email: string): Subscriber | undefined;
}

type Stored = Subscriber & { email: string };

export function play(): PlayedListmonk {
  /** By id, which is the place plus 1. */
  const subscribers: Stored[] = [];
  const known = (email: string) => subscribers.find((each) => each.email === email.toLowerCase());

  function answer(call: Call): Answer {
    const [scheme, encoded = ''] = call.headers.authorization?.split(' ') ?? [];
    const login = Buffer.from(encoded, 'base64').toString();
    if (scheme !== 'Basic' || (login !== LOGIN && login !== NO_QUERIES))
      return problem(403, 'invalid API credentials');
    const { method, url } = call;
    const [, list] = /^\/api\/lists\/(\d+)$/.exec(url.pathname) ?? [];
    if (list !== undefined)
      return LISTS.includes(Number(list)) ? done({ id: Number(list) }) : problem(400, 'not found');
    if (login === NO_QUERIES && url.searchParams.has('query'))
      return problem(403, 'permission denied: subscribers:sql_query');
    if (method === 'GET' && url.pathname === '/api/subscribers') return query(subscribers, url);
    if (method === 'DELETE') return remove(subscribers, idIn(url));
    return write(subscribers, `${method} ${url.pathname}`, JSON.parse(call.body) as Body);
  }

  return {
    settings: (base) => ({ url: base, secrets: [LOGIN] }),
    wrongSecrets: ['email-events:of-another-instance'],
    answer,
    recipientOf({ method, url, body }) {
      if (method === 'GET') return askedFor(url) || undefined;
      if (method === 'DELETE') return subscribers[idIn(url) - 1]?.email;
      const { email, ids } = JSON.parse(body) as Body;
      return email ?? subscribers[(ids?.[0] ?? 0) - 1]?.email;
    },
    held(recipient) {
      const found = known(recipient);
      return found && { suppressed: found.status === 'blocklisted' };
    },
    recipients: () => subscribers.map(({ email }) => email).filter((email) => email !== GONE),
    optOut(recipient) {
      const found = known(recipient);
      if (found) found.status = 'blocklisted';
      else subscribers.push({ email: recipient, status: 'blocklisted', subscriptions: {} });
    },
    importContact: (recipient) =>
      void subscribers.push({ email: recipient, status: 'enabled', subscriptions: {} }),
    add: (email, fields) => subscribers.push({ email, status: 'enabled', subscriptions: {}, ...fields }),
    subscriber(email) {
      const found = known(email);
      return found && { status: found.status, subscriptions: found.subscriptions };
    },
  };
}

interface Body {
  readonly email?: string;
  readonly name?: string;
  readonly status?: Subscriber['status'];
  readonly lists?: readonly number[];
  readonly ids?: readonly number[];
  readonly action?: string;
  readonly target_list_ids?: readonly number[];
}

function write(subscribers: Stored[], endpoint: string, body: Body): Answer {
  // Ids that do not exist are passed over.
  const meant = (body.ids ?? []).flatMap((id) => subscribers[id - 1] ?? []);
  const leave = (lists: (list: number) => boolean) => {
    for (const { subscriptions } of meant)
      for (const list of Object.keys(subscriptions).map(Number).filter(lists))
        subscriptions[list] = 'unsubscribed';
  };
  switch (endpoint) {
    case 'POST /api/subscribers':
      return create(subscribers, body);
    case 'PUT /api/subscribers/blocklist':
      for (const found of meant) found.status = 'blocklisted';
      leave(() => true);
      return done(true);
    case 'PUT /api/subscribers/lists':
      if (body.action !== 'unsubscribe') throw new Error('somebody is subscribed, or loses a list');
      leave((list) => body.target_list_ids?.includes(list) ?? false);
      return done(true);
    default:
      return problem(404, 'not found');
  }
}

/** In the place of a subscriber who was deleted: places are ids. */
const GONE = '(gone)';

const idIn = ({ pathname }: URL) => Number(/^\/api\/subscribers\/(\d+)$/.exec(pathname)?.[1] ?? Number.NaN);

/** Of an id that does not exist it says the same. */
function remove(subscribers: Stored[], id: number): Answer {
  if (subscribers[id - 1]) subscribers[id - 1] = { email: GONE, status: 'enabled', subscriptions: {} };
  return done(true);
}

function create(subscribers: Stored[], { email, name, status, lists = [] }: Body): Answer {
  if (!email?.includes('@') || !name) return problem(400, 'invalid fields');
  if (subscribers.some((each) => each.email === email)) return problem(409, 'e-mail already exists');
  if (status !== 'blocklisted' || lists.length > 0) throw new Error('somebody is subscribed');
  return done({ id: subscribers.push({ email, status, subscriptions: {} }) });
}

function query(subscribers: readonly Stored[], url: URL): Answer {
  const [, before] = BLOCKLISTED.exec(url.searchParams.get('query') ?? '') ?? [];
  if (before !== undefined) {
    const all = subscribers.map(({ email, status }, index) => ({ id: index + 1, email, status }));
    const some = all.filter(({ id, status }) => status === 'blocklisted' && id < Number(before)).reverse();
    return done({ results: some.slice(0, Number(url.searchParams.get('per_page'))) });
  }
  const email = askedFor(url);
  if (email === undefined) return problem(400, 'error preparing query');
  const results = subscribers.flatMap((each, index) => {
    if (each.email !== email) return [];
    const lists = Object.entries(each.subscriptions).map(([id, subscription_status]) => ({
      id: Number(id),
      subscription_status,
    }));
    return { id: index + 1, email, name: 'a name', attribs: {}, status: each.status, lists };
  });
  return done({ results, total: results.length, per_page: 1, page: 1 });
}

const BLOCKLISTED = /^subscribers\.status = 'blocklisted' AND subscribers\.id < (\d+)$/;

/** The other expression that is understood: Postgres would take any. */
function askedFor({ searchParams }: URL): string | undefined {
  const expression =
    /^LOWER\(subscribers\.email\) = convert_from\(decode\('((?:[0-9a-f]{2})*)', 'hex'\), 'UTF8'\)$/;
  const [, hex] = expression.exec(searchParams.get('query') ?? '') ?? [];
  return hex === undefined ? undefined : Buffer.from(hex, 'hex').toString();
}

const done = (data: unknown): Answer => ({ status: 200, body: JSON.stringify({ data }) });

function problem(status: number, message: string): Answer {
  return { status, body: JSON.stringify({ message }) };
}
