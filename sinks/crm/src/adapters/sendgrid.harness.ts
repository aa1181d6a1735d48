import type { Answer, Call, CrmHarness, PlayedCrm } from '../testing/harness.ts';
import { CallWindow } from '../testing/limits.ts';

const KEY = 'SG.0123456789abcdef.example';
/** May send mail, and no more. */
export const MAIL_ONLY = 'SG.0123456789abcdef.mail-only';
/** Unsubscribe groups of the account. */
export const GROUPS = [101, 102];
const MOST = 500;
const PER_MS = 60_000;

/** Suppressions of the API v3. A contact is not needed for one. */
export const harness: CrmHarness = {
  play: (faster = 1) => play({ most: MOST * faster }),
  refused: [401, 403].map((status) => problem(status)),
};

export interface PlayedSendgrid extends PlayedCrm {
  /** Where the address is suppressed: `global`, or the id of a group. */
  lists(email: string): (number | 'global')[];
}

/** `most`: calls in a minute to an endpoint. */
export function play({ most = MOST } = {}): PlayedSendgrid {
  const suppressions: Suppressions = new Map();
  const windows = new Map<string, CallWindow>();

  function answer(call: Call): Answer {
    const key = call.headers.authorization?.replace(/^Bearer /, '');
    if (key !== KEY && key !== MAIL_ONLY) return problem(401);
    const over = limit(`${call.method} ${call.url.pathname.split('/').slice(0, 4)}`);
    if (over) return over;
    if (call.url.pathname === '/v3/scopes')
      return json(200, {
        scopes:
          key === KEY
            ? ['mail.send', 'asm.suppressions.global.create', 'asm.groups.suppressions.create']
            : ['mail.send'],
      });
    if (key === MAIL_ONLY) return problem(403);
    return call.method === 'GET' ? read(suppressions, call.url) : add(suppressions, call);
  }

  function limit(endpoint: string): Answer | undefined {
    const window = windows.get(endpoint) ?? new CallWindow(most, PER_MS);
    windows.set(endpoint, window);
    if (window.takes()) return undefined;
    const reset = Math.ceil((Date.now() + PER_MS) / 1_000);
    const headers = { 'x-ratelimit-limit': `${most}`, 'x-ratelimit-remaining': '0' };
    return { ...problem(429), headers: { ...headers, 'x-ratelimit-reset': `${reset}` } };
  }

  return {
    settings: (base) => ({ url: base, secrets: [KEY] }),
    wrongSecrets: ['SG.of.another-account'],
    answer,
    recipientOf: ({ method, url, body }) =>
      method === 'POST'
        ? (JSON.parse(body) as { recipient_emails: string[] }).recipient_emails[0]
        : addressIn(url.pathname),
    held(recipient) {
      const lists = suppressions.get(recipient);
      return lists && { suppressed: lists.has('global') };
    },
    recipients: () => [...suppressions.keys()],
    optOut: (recipient) =>
      suppressions.set(recipient, new Set([...listsOf(suppressions, recipient), 'global'])),
    lists: (email) => listsOf(suppressions, email),
  };
}

type Suppressions = Map<string, Set<number | 'global'>>;

const listsOf = (suppressions: Suppressions, email: string) => [...(suppressions.get(email) ?? [])];

function read(suppressions: Suppressions, { pathname, searchParams }: URL): Answer {
  const [, group] = /^\/v3\/asm\/groups\/(\d+)$/.exec(pathname) ?? [];
  if (group !== undefined)
    return GROUPS.includes(Number(group)) ? json(200, { id: Number(group), name: 'a group' }) : problem(404);
  if (pathname === '/v3/suppression/unsubscribes') return page(suppressions, searchParams);
  const email = addressIn(pathname);
  if (email === undefined) return problem(404);
  const lists = listsOf(suppressions, email);
  if (pathname.startsWith('/v3/asm/suppressions/global/'))
    return json(200, lists.includes('global') ? { recipient_email: email } : {});
  return json(200, {
    suppressions: GROUPS.map((id) => ({
      id,
      name: 'a group',
      is_default: false,
      suppressed: lists.includes(id),
    })),
  });
}

function page(suppressions: Suppressions, query: URLSearchParams): Answer {
  const [limit, offset] = [Number(query.get('limit')), Number(query.get('offset'))];
  if (limit > 500) return problem(400);
  const all = [...suppressions.keys()].filter((email) => listsOf(suppressions, email).includes('global'));
  return json(
    200,
    all.slice(offset, offset + limit).map((email) => ({ created: 1_700_000_000, email })),
  );
}

function add(suppressions: Suppressions, { method, url: { pathname }, body }: Call): Answer {
  const [, group] = /^\/v3\/asm\/groups\/(\d+)\/suppressions$/.exec(pathname) ?? [];
  const list = group === undefined ? ('global' as const) : Number(group);
  if (method !== 'POST' || (list === 'global' && pathname !== '/v3/asm/suppressions/global'))
    return problem(405);
  if (list !== 'global' && !GROUPS.includes(list)) return problem(404);
  const { recipient_emails } = JSON.parse(body) as { recipient_emails?: string[] };
  if (!recipient_emails?.every((email) => email.includes('@'))) return problem(400);
  for (const email of recipient_emails)
    suppressions.set(email, new Set([...listsOf(suppressions, email), list]));
  return json(201, { recipient_emails });
}

/** /v3/asm/suppressions/[global/]{address} */
function addressIn(pathname: string): string | undefined {
  const [, email] = /^\/v3\/asm\/suppressions\/(?:global\/)?([^/]+)$/.exec(pathname) ?? [];
  return email === undefined || email === 'global' ? undefined : decodeURIComponent(email);
}

function json(status: number, body: object): Answer {
  return { status, body: JSON.stringify(body) };
}

function problem(status: number): Answer {
  return json(status, { errors: [{ field: null, message: 'as documented' }] });
}
