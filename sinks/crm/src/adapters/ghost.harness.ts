import { createHmac } from 'node:crypto';
import type { Answer, Call, CrmHarness, PlayedCrm } from '../testing/harness.ts';

const KEY = `${'1a'.repeat(12)}:${'2b'.repeat(32)}`;
/** Newsletters of the site. */
export const NEWSLETTERS = ['3c'.repeat(12), '4d'.repeat(12)];

/** Members of the Admin API. */
export const harness: CrmHarness = { play: () => play() };

export interface Member {
  newsletters: string[];
  labels: string[];
}

export interface PlayedGhost extends PlayedCrm {
  /** Somebody else makes a member. */
  add(email: string, newsletters: readonly string[]): void;
  member(email: string): Member | undefined;
}

interface Body {
  readonly members: readonly [{ email?: string; newsletters?: { id: string }[]; labels?: string[] }];
}

type Stored = Member & { email: string };

export function play(): PlayedGhost {
  /** By id, which is the place. */
  const members: Stored[] = [];
  const known = (email: string) => members.find((each) => each.email === email);

  function answer(call: Call): Answer {
    if (!isKnown(call.headers.authorization ?? '')) return problem(401, 'UnauthorizedError');
    const { method, url } = call;
    const [, resource, id] =
      /^\/ghost\/api\/admin\/(members|newsletters)\/(?:([0-9a-f]{24})\/)?$/.exec(url.pathname) ?? [];
    if (resource === 'newsletters') return newsletters(id);
    if (resource === undefined) return problem(404, 'NotFoundError');
    if (method === 'GET') return browse(members, url);
    const [fields] = (JSON.parse(call.body) as Body).members;
    if (method === 'POST') return create(fields, url);
    const found = members[Number.parseInt(id ?? '', 16)];
    if (method !== 'PUT' || !found) return problem(404, 'NotFoundError');
    // What is left out stays; what is there replaces all.
    if (fields.newsletters) found.newsletters = fields.newsletters.map((each) => each.id);
    if (fields.labels) found.labels = fields.labels;
    return shown(members, [found]);
  }

  function create(
    { email, newsletters = NEWSLETTERS.map((id) => ({ id })) }: Body['members'][0],
    url: URL,
  ): Answer {
    if (!email?.includes('@')) return problem(422, 'ValidationError');
    if (known(email)) return problem(422, 'ValidationError');
    // New members have all newsletters if none are named, and are sent mail if it is asked for.
    if (newsletters.length > 0 || url.searchParams.has('send_email'))
      throw new Error('somebody is subscribed');
    members.push({ email, newsletters: [], labels: [] });
    return { ...shown(members, members.slice(-1)), status: 201 };
  }

  return {
    settings: (base) => ({ url: base, secrets: [KEY] }),
    wrongSecrets: [`${'1a'.repeat(12)}:${'9f'.repeat(32)}`],
    answer,
    recipientOf({ method, url, body }) {
      if (method === 'GET') return askedFor(url);
      const [, id] = /\/members\/([0-9a-f]{24})\/$/.exec(url.pathname) ?? [];
      return id === undefined
        ? (JSON.parse(body) as Body).members[0].email
        : members[Number.parseInt(id, 16)]?.email;
    },
    held(recipient) {
      const found = known(recipient);
      return found && { suppressed: found.newsletters.length === 0 };
    },
    recipients: () => members.map(({ email }) => email),
    optOut(recipient) {
      const found = known(recipient);
      if (found) found.newsletters = [];
      else members.push({ email: recipient, newsletters: [], labels: [] });
    },
    add: (email, newsletters) => members.push({ email, newsletters: [...newsletters], labels: ['vip'] }),
    member: (email) => {
      const found = known(email);
      return found && { newsletters: found.newsletters, labels: found.labels };
    },
  };
}

function newsletters(id: string | undefined): Answer {
  if (id !== undefined && !NEWSLETTERS.includes(id)) return problem(404, 'NotFoundError');
  return json(200, { newsletters: [{ id: id ?? NEWSLETTERS[0] }] });
}

function browse(members: readonly Stored[], url: URL): Answer {
  const { searchParams } = url;
  const [limit, page] = [Number(searchParams.get('limit')), Number(searchParams.get('page') ?? 1)];
  if (limit > 100) return problem(400, 'BadRequestError');
  if (!searchParams.has('filter')) return shown(members, members.slice((page - 1) * limit, page * limit));
  const [, list] = /^email:\[(.+)\]$/.exec(searchParams.get('filter') ?? '') ?? [];
  if (list !== undefined) {
    const asked = [...list.matchAll(/'((?:\\['"]|[^'"])+)'/g)].map(([, text = '']) =>
      text.replace(/\\(['"])/g, '$1'),
    );
    return shown(members, members.filter((each) => asked.includes(each.email)).slice(0, limit));
  }
  const email = askedFor(url);
  if (email === undefined) return problem(400, 'BadRequestError');
  return shown(
    members,
    members.filter((each) => each.email === email),
  );
}

function shown(members: readonly Stored[], some: readonly Stored[]): Answer {
  return json(200, {
    members: some.map((each) => ({
      id: members.indexOf(each).toString(16).padStart(24, '0'),
      email: each.email,
      labels: each.labels,
      newsletters: each.newsletters.map((id) => ({ id, name: 'a newsletter' })),
    })),
  });
}

/** By the grammar of NQL: in a string, quotes of both sorts are behind a backslash. */
function askedFor({ searchParams }: URL): string | undefined {
  const [, string] = /^email:'((?:\\['"]|[^'"])+)'$/.exec(searchParams.get('filter') ?? '') ?? [];
  return string?.replace(/\\(['"])/g, '$1');
}

function isKnown(authorization: string): boolean {
  const [, header = '', claims = '', signature] =
    /^Ghost ([^.]+)\.([^.]+)\.([^.]+)$/.exec(authorization) ?? [];
  const [id, secret = ''] = KEY.split(':');
  const signed = createHmac('sha256', Buffer.from(secret, 'hex')).update(`${header}.${claims}`);
  if (signed.digest('base64url') !== signature) return false;
  const { alg, kid } = read(header);
  const { aud, iat, exp } = read(claims);
  return alg === 'HS256' && kid === id && aud === '/admin/' && Number(exp) - Number(iat) <= 300;
}

const read = (part: string) =>
  JSON.parse(Buffer.from(part, 'base64url').toString()) as { [name: string]: unknown };

const json = (status: number, body: object): Answer => ({ status, body: JSON.stringify(body) });

const problem = (status: number, type: string) =>
  json(status, { errors: [{ type, message: 'as documented' }] });
