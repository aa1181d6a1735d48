import { createHash } from 'node:crypto';
import type { Answer, Call, CrmHarness, PlayedCrm } from '../testing/harness.ts';

const KEY = '0123456789abcdef0123456789abcdef-us21';
/** Audiences of the account. The second has an interest. */
export const AUDIENCES = ['a1b2c3d4e5', 'f6a7b8c9d0'];
export const INTEREST = '9143cf3bd1';
const CATEGORY = 'c1';

/** Members of audiences, of the Marketing API 3.0. */
export const harness: CrmHarness = {
  play: () => play(),
  throttled: () => ({ answer: problem(429, 'Too Many Requests'), afterMs: 5_000 }),
  refused: [problem(401, 'API Key Invalid'), problem(403, 'User Disabled')],
  rejected: [problem(400, 'Invalid Resource'), problem(422, 'Unprocessable')],
};

export type MemberStatus =
  | 'subscribed'
  | 'unsubscribed'
  | 'cleaned'
  | 'pending'
  | 'transactional'
  | 'archived';

export interface Member {
  email: string;
  status: MemberStatus;
  interests: { [id: string]: boolean };
}

export interface PlayedMailchimp extends PlayedCrm {
  /** Somebody else makes a member. */
  add(audience: string, email: string, status: MemberStatus): void;
  member(audience: string, email: string): Member | undefined;
  /** Was deleted for good, so that it cannot be brought back by API. */
  forget(email: string): void;
}

export function play(): PlayedMailchimp {
  const audiences = new Map(AUDIENCES.map((id) => [id, new Map<string, Member>()]));
  const forgotten = new Set<string>();

  function answer(call: Call): Answer {
    const [scheme, encoded = ''] = call.headers.authorization?.split(' ') ?? [];
    const [, key] = Buffer.from(encoded, 'base64').toString().split(':');
    if (scheme !== 'Basic' || key !== KEY) return problem(401, 'API Key Invalid');
    const { pathname, searchParams } = call.url;
    if (pathname === '/3.0/ping') return json({ health_status: "Everything's Chimpy!" });
    if (pathname === '/3.0/lists') return AUDIENCE_LIST;
    const [, audience, rest = ''] = /^\/3\.0\/lists\/([^/]+)(\/.*)?$/.exec(pathname) ?? [];
    const members = audiences.get(audience ?? '');
    if (!members) return problem(404, 'Resource Not Found');
    if (rest === '') return json({ id: audience });
    const [, hash, erases] = /^\/members\/([0-9a-f]{32})(\/actions\/delete-permanent)?$/.exec(rest) ?? [];
    if (hash === undefined) return groups(audience ?? '', rest);
    if (erases) return erase(members, hash, forgotten);
    const found = members.get(hash);
    if (call.method === 'PUT') return upsert(members, hash, call.body, searchParams);
    if (!found) return problem(404, 'Resource Not Found');
    if (call.method === 'PATCH') Object.assign(found.interests, (JSON.parse(call.body) as Member).interests);
    return shown(hash, found);
  }

  function upsert(members: Map<string, Member>, hash: string, body: string, query: URLSearchParams): Answer {
    const { email_address, status, status_if_new } = JSON.parse(body) as {
      [name: string]: string | undefined;
    };
    if (!email_address?.includes('@') || hashOf(email_address) !== hash)
      return problem(400, 'Invalid Resource');
    if (forgotten.has(email_address)) return problem(400, 'Forgotten Email Not Subscribed');
    const found = members.get(hash);
    const wanted = (found ? status : status_if_new) as MemberStatus | undefined;
    if (status === 'subscribed' || status_if_new === 'subscribed') throw new Error('somebody is subscribed');
    // The audience has a merge field that is needed.
    if (!found && (wanted === undefined || query.get('skip_merge_validation') !== 'true'))
      return problem(400, 'Invalid Resource');
    if (found?.status === 'cleaned') return problem(400, 'Member In Compliance State');
    const interests = found?.interests ?? {};
    members.set(hash, { email: email_address, status: wanted ?? found?.status ?? 'pending', interests });
    return json({ id: hash, status: wanted });
  }

  function add(audience: string, email: string, status: MemberStatus): void {
    const interests = audience === AUDIENCES[1] ? { [INTEREST]: true } : {};
    audiences.get(audience)?.set(hashOf(email), { email, status, interests });
  }

  const everybody = () => [...audiences.values()].flatMap((members) => [...members.values()]);
  return {
    settings: (base) => ({ url: base, secrets: [KEY], options: { audiences: AUDIENCES.slice(0, 1) } }),
    wrongSecrets: ['fedcba9876543210fedcba9876543210-us21'],
    answer,
    recipientOf({ method, url, body }) {
      if (method === 'PUT') return (JSON.parse(body) as { email_address?: string }).email_address;
      const [, hash] = /\/members\/([0-9a-f]{32})/.exec(url.pathname) ?? [];
      return everybody().find(({ email }) => hashOf(email) === hash)?.email;
    },
    held(recipient) {
      const members = AUDIENCES.flatMap((id) => audiences.get(id)?.get(hashOf(recipient)) ?? []);
      return members.length === 0 ? undefined : { suppressed: members.every(isOff) };
    },
    recipients: () => [...new Set(everybody().map(({ email }) => email))],
    optOut(recipient) {
      for (const id of AUDIENCES) add(id, recipient, 'unsubscribed');
    },
    add,
    member: (audience, email) => audiences.get(audience)?.get(hashOf(email)),
    importContact(recipient) {
      for (const id of forgotten.has(recipient) ? [] : AUDIENCES) add(id, recipient, 'subscribed');
    },
    forget: (email) => forgotten.add(email),
  };
}

function erase(members: Map<string, Member>, hash: string, forgotten: Set<string>): Answer {
  const found = members.get(hash);
  if (!found) return problem(404, 'Resource Not Found');
  members.delete(hash);
  forgotten.add(found.email);
  return { status: 204 };
}

const isOff = ({ status }: Member) => status === 'unsubscribed' || status === 'cleaned';

const shown = (hash: string, { email, status, interests }: Member) =>
  json({ id: hash, email_address: email, status, interests });

function groups(audience: string, rest: string): Answer {
  const has = audience === AUDIENCES[1];
  if (rest === '/interest-categories') return json({ categories: has ? [{ id: CATEGORY }] : [] });
  if (rest === `/interest-categories/${CATEGORY}/interests` && has)
    return json({ interests: [{ id: INTEREST }] });
  return problem(404, 'Resource Not Found');
}

const hashOf = (email: string) => createHash('md5').update(email.toLowerCase()).digest('hex');

const json = (body: object): Answer => ({ status: 200, body: JSON.stringify(body) });

const AUDIENCE_LIST = json({ lists: AUDIENCES.map((id) => ({ id })) });

export function problem(status: number, title: string): Answer {
  const body = JSON.stringify({ type: 'https://mailchimp.com/developer/', title, status, detail: '' });
  return { status, headers: { 'content-type': 'application/problem+json' }, body };
}
