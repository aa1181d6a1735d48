import { createHmac } from 'node:crypto';
import type { Answer, Call, CrmHarness, PlayedCrm } from '../testing/harness.ts';

const KEY = `${'1a'.repeat(12)}:${'2b'.repeat(32)}`;
/** Newsletters of the site. */
export const NEWSLETTERS = ['3c'.repeat(12), '4d'.repeat(12)];

/** In the place of a member who was deleted: places are ids. */
const GONE = '(gone)';

/** Members of the Admin API, on SQLite. */
export const harness: CrmHarness = { play: () => play() };

export interface Member {
  newsletters: string[];
  labels: string[];
}

export interface PlayedGhost extends PlayedCrm {
  /** Somebody else makes a member. */
  add(email: string, newsletters: readonly string[]): void;
  member(email: string): Member | undefined;
  /** A newsletter that is archived is shown with nobody, and stays with everybody. */
  archive(newsletter: string, archived: boolean): void;
}

interface Body {
  readonly members: readonly [{ email?: string; newsletters?: { id: string }[]; labels?: string[] }];
}

interface Stored extends Member {
  readonly email: string;
  /** As SQLite compares it: it knows the case of ASCII letters only. */
  readonly folded: string;
}

export function play(): PlayedGhost {
  const site = new Site();
  const { members } = site;
  const known = (email: string) => site.known(email);
  return {
    settings: (base) => ({ url: base, secrets: [KEY] }),
    wrongSecrets: [`${'1a'.repeat(12)}:${'9f'.repeat(32)}`],
    answer: (call) => refusalOf(call.headers.authorization ?? '') ?? site.answer(call),
    recipientOf({ method, url, body }) {
      if (method === 'GET') return addressesIn(url.searchParams.get('filter') ?? '')[0];
      const [, id] = /\/members\/([0-9a-f]{24})\/$/.exec(url.pathname) ?? [];
      return id === undefined ? (JSON.parse(body) as Body).members[0].email : site.at(id)?.email;
    },
    held(recipient) {
      const found = known(recipient);
      return found && { suppressed: site.active(found).length === 0 };
    },
    recipients: () => members.map(({ email }) => email).filter((email) => email !== GONE),
    optOut(recipient) {
      const found = known(recipient);
      if (found) found.newsletters = [];
      else site.join(recipient);
    },
    importContact: (recipient) => void site.join(recipient, NEWSLETTERS),
    add: (email, newsletters) => void site.join(email, newsletters, ['vip']),
    member: (email) => {
      const found = known(email);
      return found && { newsletters: found.newsletters, labels: found.labels };
    },
    archive(newsletter, isSo) {
      if (isSo) site.archived.add(newsletter);
      else site.archived.delete(newsletter);
    },
  };
}

class Site {
  /** By id, which is the place. */
  readonly members: Stored[] = [];
  readonly archived = new Set<string>();

  known(email: string): Stored | undefined {
    return this.members.find((each) => each.email === email);
  }

  at(id: string): Stored | undefined {
    return this.members[Number.parseInt(id, 16) - 1];
  }

  join(email: string, newsletters: readonly string[] = [], labels: readonly string[] = []): Stored {
    const folded = email.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
    const member = { email, folded, newsletters: [...newsletters], labels: [...labels] };
    this.members.push(member);
    return member;
  }

  active({ newsletters }: Member): string[] {
    return newsletters.filter((id) => !this.archived.has(id));
  }

  answer({ method, url, body }: Call): Answer {
    const [, resource, id] =
      /^\/ghost\/api\/admin\/(members|newsletters)\/(?:([0-9a-f]{24})\/)?$/.exec(url.pathname) ?? [];
    if (resource === 'newsletters') return newsletters(id);
    if (resource === undefined) return problem(404, 'NotFoundError');
    if (method === 'GET') return this.browse(url);
    if (method === 'DELETE') return this.remove(id ?? '');
    const [fields] = (JSON.parse(body) as Body).members;
    if (fields.newsletters?.some((each) => !NEWSLETTERS.includes(each.id)))
      return problem(422, 'ValidationError');
    if (method === 'POST') return this.create(fields, url);
    const found = this.at(id ?? '');
    if (method !== 'PUT' || !found) return problem(404, 'NotFoundError');
    // What is left out stays; what is there replaces all that are not archived.
    if (fields.newsletters) {
      const kept = found.newsletters.filter((each) => this.archived.has(each));
      found.newsletters = [...new Set([...fields.newsletters.map((each) => each.id), ...kept])];
    }
    if (fields.labels) found.labels = fields.labels;
    return json(200, { members: [this.shown(found)] });
  }

  private remove(id: string): Answer {
    const found = this.at(id);
    if (!found || found.email === GONE) return problem(404, 'NotFoundError');
    const gone = { email: GONE, folded: GONE, newsletters: NEWSLETTERS, labels: [] };
    this.members[this.members.indexOf(found)] = gone;
    return { status: 204 };
  }

  private create(
    { email, newsletters = NEWSLETTERS.map((id) => ({ id })) }: Body['members'][0],
    url: URL,
  ): Answer {
    // The site itself refuses more addresses, as those with a quoted local part.
    if (!email?.includes('@') || this.known(email)) return problem(422, 'ValidationError');
    // New members have all newsletters if none are named, and are sent mail if it is asked for.
    if (newsletters.length > 0 || url.searchParams.has('send_email'))
      throw new Error('somebody is subscribed');
    return json(201, { members: [this.shown(this.join(email))] });
  }

  private browse({ searchParams }: URL): Answer {
    const wanted = wantedBy(searchParams.get('filter') ?? '');
    if (!wanted) return problem(400, 'BadRequestError');
    const limit = Math.min(100, Number(searchParams.get('limit')));
    const all = this.members.filter((each, place) =>
      wanted(each.folded, idOf(place), this.active(each).length > 0),
    );
    // Without an order, the newest come first.
    const ordered = searchParams.get('order') === 'id asc' ? all : all.reverse();
    const shown = ordered.slice(0, limit).map((each) => this.shown(each));
    const next = ordered.length > limit ? 2 : null;
    return json(200, { members: shown, meta: { pagination: { page: 1, next } } });
  }

  private shown(each: Stored): object {
    return {
      id: idOf(this.members.indexOf(each)),
      email: each.email,
      labels: each.labels,
      newsletters: this.active(each).map((id) => ({ id, name: 'a newsletter' })),
    };
  }
}

const idOf = (place: number) => (place + 1).toString(16).padStart(24, '0');

function newsletters(id: string | undefined): Answer {
  if (id !== undefined && !NEWSLETTERS.includes(id)) return problem(404, 'NotFoundError');
  return json(200, { newsletters: [{ id: id ?? NEWSLETTERS[0] }] });
}

type Wanted = (folded: string, id: string, subscribed: boolean) => boolean;

/** By the grammar of NQL, as much of it as is used: in a string, quotes of both sorts are behind a backslash. */
const STRING = /'((?:\\['"]|[^'"])+)'/.source;
const LISTING = new RegExp(`^subscribed:false\\+id:>${STRING}$`);
const ADDRESS = new RegExp(`\\(email:~\\^${STRING}\\+email:~\\$${STRING}\\)`, 'g');
const ADDRESSES = new RegExp(`^(?:${ADDRESS.source},?)+$`);

/** Undefined: it is no filter. */
function wantedBy(filter: string): Wanted | undefined {
  const [, after] = LISTING.exec(filter) ?? [];
  if (after !== undefined) return (_, id, subscribed) => !subscribed && id > after;
  if (!ADDRESSES.test(filter)) return undefined;
  const asked = new Set(addressesIn(filter).map((text) => text.toLowerCase()));
  return (folded) => asked.has(folded);
}

/** Those that begin and end with the same. */
function addressesIn(filter: string): string[] {
  return [...filter.matchAll(ADDRESS)].flatMap(([, begin = '', end]) =>
    begin === end ? begin.replace(/\\(['"])/g, '$1') : [],
  );
}

/** Undefined: the token is good. */
function refusalOf(authorization: string): Answer | undefined {
  const [, header = '', claims = '', signature] =
    /^Ghost ([^.]+)\.([^.]+)\.([^.]+)$/.exec(authorization) ?? [];
  if (signature === undefined) return problem(400, 'BadRequestError');
  const [id, secret = ''] = KEY.split(':');
  const signed = createHmac('sha256', Buffer.from(secret, 'hex')).update(`${header}.${claims}`);
  const { alg, kid } = read(header);
  const { aud, iat, exp } = read(claims);
  const good = alg === 'HS256' && kid === id && aud === '/admin/' && Number(exp) - Number(iat) <= 300;
  return good && signed.digest('base64url') === signature ? undefined : problem(401, 'UnauthorizedError');
}

const read = (part: string) =>
  JSON.parse(Buffer.from(part, 'base64url').toString()) as { [name: string]: unknown };

const json = (status: number, body: object): Answer => ({ status, body: JSON.stringify(body) });

const problem = (status: number, type: string) =>
  json(status, { errors: [{ type, message: 'as documented' }] });
