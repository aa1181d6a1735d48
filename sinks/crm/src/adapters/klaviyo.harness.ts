import type { Answer, Call, CrmHarness, PlayedCrm } from '../testing/harness.ts';
import { CallWindow } from '../testing/limits.ts';

const KEY = 'pk_klaviyo_key_of_the_tests';

/** The API as the vendor documents it, not as the adapter uses it. */
export const harness: CrmHarness = {
  play: (faster = 1) => playKlaviyo({ burst: BURST * faster }),
  asynchronous: true,
};

const BURST = 75;

interface Profile {
  readonly id: string;
  readonly suppression: { reason: string; timestamp: string }[];
  readonly lists: Set<string>;
}

interface Job {
  readonly id: string;
  readonly emails: readonly string[];
  status: 'queued' | 'processing' | 'complete' | 'cancelled';
  /** Times that it can be looked at until it ends. */
  looks: number;
  skipped: number;
}

export interface KlaviyoWorld {
  /** Looks at a job until it ends. */
  readonly looks?: number;
  readonly ends?: 'complete' | 'cancelled';
  readonly scopes?: readonly string[];
  /** That it takes for no address: its jobs skip them. */
  readonly skips?: (email: string) => boolean;
  /** Calls in a second. */
  readonly burst?: number;
}

export interface PlayedKlaviyo extends PlayedCrm {
  /** Puts a profile on lists. */
  join(email: string, ...lists: string[]): void;
  listsOf(email: string): string[] | undefined;
  suppress(email: string, reason: string): void;
}

const DELETIONS = '/api/data-privacy-deletion-jobs';
const ALL_SCOPES = [
  'data-privacy:write',
  ...['profiles', 'subscriptions', 'lists'].flatMap((of) => [`${of}:read`, `${of}:write`]),
];
const LISTS = new Set(['Y6nRLr', 'X9zzzz']);
const JOBS = '/api/profile-suppression-bulk-create-jobs';

export function playKlaviyo(world: KlaviyoWorld = {}): PlayedKlaviyo {
  const account = new Account(world);
  const { profiles } = account;
  return {
    settings: (base) => ({ url: base, secrets: [KEY], options: { streams: { digest: 'Y6nRLr' } } }),
    wrongSecrets: ['pk_klaviyo_key_of_another_account'],
    answer: (call) => account.answer(call),
    recipientOf: ({ method, url, body }) =>
      method === 'POST' ? (url.pathname === JOBS ? emailsOf(body)?.[0] : deletedIn(body)) : filtered(url),
    // As it is once its jobs have ended.
    held(recipient) {
      account.endJobs();
      const profile = profiles.get(recipient);
      return profile && { suppressed: profile.suppression.length > 0 };
    },
    recipients: () => [...profiles.keys()],
    optOut: (recipient) => account.suppress(recipient, 'UNSUBSCRIBE'),
    importContact: (recipient) => void account.profileOf(recipient),
    isContact(recipient) {
      account.endJobs();
      return profiles.has(recipient);
    },
    join(email, ...on) {
      for (const list of on) account.profileOf(email).lists.add(list);
    },
    listsOf: (email) => profiles.get(email) && [...(profiles.get(email)?.lists ?? [])],
    suppress: (email, reason) => account.suppress(email, reason),
  };
}

class Account {
  readonly profiles = new Map<string, Profile>();
  private made = 0;
  private readonly jobs = new Map<string, Job>();
  /** Profiles that are to be deleted, by how often they can be found until then. */
  private readonly deletions = new Map<string, number>();
  private readonly burst: CallWindow;
  private readonly world: Required<KlaviyoWorld>;

  constructor(world: KlaviyoWorld) {
    this.world = {
      looks: 1,
      ends: 'complete',
      scopes: ALL_SCOPES,
      skips: () => false,
      burst: BURST,
      ...world,
    };
    this.burst = new CallWindow(this.world.burst, 1_000);
  }

  profileOf(email: string): Profile {
    const { profiles } = this;
    const profile = profiles.get(email) ?? { id: `01P${this.made++}`, suppression: [], lists: new Set() };
    profiles.set(email, profile);
    return profile;
  }

  suppress(email: string, reason: string): void {
    this.profileOf(email).suppression.push({ reason, timestamp: '2026-11-30T12:00:00+00:00' });
  }

  endJobs(): void {
    for (const job of this.jobs.values()) while (underWay(job)) this.advance(job);
    for (const email of this.deletions.keys()) this.profiles.delete(email);
    this.deletions.clear();
  }

  answer(call: Call): Answer {
    const { method, url, headers, body } = call;
    if (headers.authorization !== `Klaviyo-API-Key ${KEY}`) return error(401, 'not_authenticated');
    if (!/^\d{4}-\d\d-\d\d$/.test(headers.revision ?? '')) return error(400, 'missing_revision');
    if (body && headers['content-type'] !== 'application/vnd.api+json') return error(415, 'unsupported');
    const { scopes } = this.world;
    if (needed(call).some((scope) => !scopes.includes(scope))) return error(403, 'permission_denied');
    if (!this.burst.takes()) return { status: 429, headers: { 'retry-after': '1' } };
    const [, , of, id = '', , what] = url.pathname.split('/');
    if (url.pathname === JOBS)
      return method === 'POST' ? this.createJob(body) : ok([...this.jobs.values()].map(shown));
    if (url.pathname === DELETIONS && method === 'POST') return this.deleteLater(body);
    if (url.pathname.startsWith(`${JOBS}/`)) return this.jobOf(id);
    if (/^greater-than\(.*suppression\.timestamp,/.test(url.searchParams.get('filter') ?? ''))
      return this.listSuppressed(url);
    if (url.pathname === '/api/profiles') return this.find(url);
    if (of === 'profiles' && what === 'lists') return this.membershipsOf(id);
    if (of === 'lists' && method === 'DELETE') return this.removeFromList(id, body);
    if (of === 'lists') return LISTS.has(id) ? ok({ type: 'list', id, attributes: {} }) : error(404, 'none');
    return error(404, 'not_found');
  }

  /** Every look brings a job further: queued, processing, its end. */
  private advance(job: Job): void {
    if (!underWay(job)) return;
    job.looks -= 1;
    job.status = job.looks > 0 ? 'processing' : this.world.ends;
    if (job.status !== 'complete') return;
    for (const email of job.emails) {
      if (this.world.skips(email) || this.profiles.get(email)?.suppression.length) job.skipped += 1;
      else this.suppress(email, 'USER_SUPPRESSED');
    }
  }

  private createJob(body: string): Answer {
    const emails = emailsOf(body);
    if (!emails || emails.length === 0 || emails.length > 100) return error(400, 'invalid');
    const { looks } = this.world;
    const job: Job = { id: `job${this.jobs.size}`, emails, status: 'queued', looks, skipped: 0 };
    this.jobs.set(job.id, job);
    return { status: 202, body: JSON.stringify({ data: shown(job) }) };
  }

  private deleteLater(body: string): Answer {
    const email = deletedIn(body);
    if (email === undefined) return error(400, 'invalid');
    this.deletions.set(email, this.deletions.get(email) ?? this.world.looks);
    return { status: 202 };
  }

  private jobOf(id: string): Answer {
    const job = this.jobs.get(id);
    if (!job) return error(404, 'not_found');
    this.advance(job);
    return ok(shown(job));
  }

  /** Those who are suppressed, by its time, as many on a page as are asked for. */
  private listSuppressed(url: URL): Answer {
    const all = [...this.profiles].filter(([, { suppression }]) => suppression.length > 0);
    const from = Number(url.searchParams.get('page[cursor]') ?? 0);
    const to = from + Number(url.searchParams.get('page[size]') ?? 20);
    const data = all.slice(from, to).map(([email, { id, suppression }]) => ({
      ...{ type: 'profile', id },
      attributes: { email, subscriptions: { email: { marketing: { suppression } } } },
    }));
    const next = `https://a.klaviyo.example/api/profiles?page%5Bcursor%5D=${to}`;
    const links = { next: to < all.length ? next : null };
    return { status: 200, body: JSON.stringify({ data, links }) };
  }

  private find(url: URL): Answer {
    const email = filtered(url);
    if (email === undefined) return url.searchParams.has('filter') ? error(400, 'invalid') : ok([]);
    const left = this.deletions.get(email);
    if (left !== undefined) this.deletions.set(email, left - 1);
    if (left === 0) {
      this.deletions.delete(email);
      this.profiles.delete(email);
    }
    const profile = this.profiles.get(email);
    if (!profile) return ok([]);
    const asked = url.searchParams.get('additional-fields[profile]') === 'subscriptions';
    const marketing = { suppression: profile.suppression, list_suppressions: [] };
    const attributes = { email, ...(asked && { subscriptions: { email: { marketing } } }) };
    return ok([{ type: 'profile', id: profile.id, attributes }]);
  }

  private membershipsOf(id: string): Answer {
    const profile = [...this.profiles.values()].find((one) => one.id === id);
    if (!profile) return error(404, 'not_found');
    return ok([...profile.lists].map((list) => ({ type: 'list', id: list })));
  }

  private removeFromList(list: string, body: string): Answer {
    if (!LISTS.has(list)) return error(404, 'not_found');
    const { data } = JSON.parse(body) as { data: { id: string }[] };
    for (const profile of this.profiles.values())
      if (data.some(({ id }) => id === profile.id)) profile.lists.delete(list);
    return { status: 204 };
  }
}

const underWay = ({ status }: Job) => status === 'queued' || status === 'processing';

/** Scopes of a call, as the reference has them. */
function needed({ method, url: { pathname } }: Call): string[] {
  if (pathname.startsWith(JOBS))
    return method === 'POST' ? ['profiles:write', 'subscriptions:write'] : ['subscriptions:read'];
  if (pathname === DELETIONS) return ['data-privacy:write'];
  if (pathname.endsWith('/relationships/lists')) return ['lists:read', 'profiles:read'];
  if (pathname.endsWith('/relationships/profiles')) return ['lists:write', 'profiles:write'];
  return pathname.startsWith('/api/lists') ? ['lists:read'] : ['profiles:read'];
}

const shown = ({ id, emails, status, skipped }: Job) => ({
  type: 'profile-suppression-bulk-create-job',
  id,
  attributes: {
    ...{ status, created_at: '2026-11-30T12:00:00+00:00', total_count: emails.length },
    ...{ completed_count: status === 'complete' ? emails.length : 0, skipped_count: skipped },
  },
});

function emailsOf(body: string): string[] | undefined {
  const { data } = JSON.parse(body) as {
    data?: { type?: string; attributes?: { profiles?: { data?: { attributes: { email: string } }[] } } };
  };
  if (data?.type !== 'profile-suppression-bulk-create-job') return undefined;
  return data.attributes?.profiles?.data?.map(({ attributes }) => attributes.email);
}

function deletedIn(body: string): string | undefined {
  const { data } = JSON.parse(body) as {
    data?: { type?: string; attributes?: { profile?: { data?: { attributes?: { email?: string } } } } };
  };
  return data?.type === 'data-privacy-deletion-job'
    ? data.attributes?.profile?.data?.attributes?.email
    : undefined;
}

/** equals(email,"…"), with \" and \\ inside. Anything behind the closing quote is another filter. */
function filtered({ searchParams }: URL): string | undefined {
  const quoted = /^equals\(email,"((?:[^"\\]|\\.)*)"\)$/s.exec(searchParams.get('filter') ?? '')?.[1];
  return quoted?.replaceAll(/\\(.)/gs, '$1');
}

const ok = (data: unknown): Answer => ({ status: 200, body: JSON.stringify({ data }) });

const error = (status: number, code: string): Answer => ({
  status,
  body: JSON.stringify({ errors: [{ id: '1', status, code, title: code, detail: code }] }),
});
