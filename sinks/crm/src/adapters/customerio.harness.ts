import { instantsIn } from '../testing/engaged.ts';
import type { Answer, Call, CrmHarness, PlayedCrm } from '../testing/harness.ts';
import { CallWindow } from '../testing/limits.ts';

const TRACK = 'site0123456789:track-key-of-the-tests';
const APP = 'app-key-of-the-tests';
const TOPICS = [1, 2];

/** The API as the vendor documents it, not as the adapter uses it. */
export const harness: CrmHarness = {
  play: (faster = 1) => playCustomerio({ trackCalls: TRACK_CALLS * faster }),
  throttled: () => ({ answer: { status: 429 }, afterMs: 1_000 }),
};

const TRACK_CALLS = 100;

interface Person {
  readonly cio_id: string;
  readonly email: string;
  readonly attributes: Record<string, unknown>;
}

export interface CustomerioWorld {
  /** Times that people are looked at until a write shows. */
  readonly lag?: number;
  /** Calls in a second that the App API takes. */
  readonly appCalls?: number;
  /** And the Track API. */
  readonly trackCalls?: number;
  /** Preferences are shown as text, or as an object. */
  readonly asText?: boolean;
}

export interface PlayedCustomerio extends PlayedCrm {
  /** Adds a person; there may be several with an address. */
  add(email: string, attributes?: Record<string, unknown>): Person;
}

export function playCustomerio(world: CustomerioWorld = {}): PlayedCustomerio {
  const workspace = new Workspace(world);
  return {
    settings: (base) => ({
      url: base,
      secrets: [TRACK, APP],
      options: { appUrl: base, streams: { digest: 2 } },
    }),
    wrongSecrets: ['site0123456789:track-key-of-another', 'app-key-of-another'],
    answer: (call) => workspace.answer(call),
    recipientOf: (call) => workspace.about(call),
    held(recipient) {
      workspace.settle();
      const people = workspace.withEmail(recipient);
      return people.length === 0 ? undefined : { suppressed: people.every(isUnsubscribed) };
    },
    recipients() {
      workspace.settle();
      return workspace.people.map(({ email }) => email);
    },
    optOut(email) {
      workspace.settle();
      const known = workspace.withEmail(email);
      for (const one of known.length > 0 ? known : [workspace.add(email)]) one.attributes.unsubscribed = true;
    },
    importContact(recipient) {
      workspace.settle();
      if (!workspace.ignored.has(recipient.toLowerCase())) workspace.add(recipient);
    },
    engaged(recipient) {
      workspace.settle();
      const [first] = workspace.withEmail(recipient);
      return first && instantsIn(first.attributes, (seconds: number) => seconds * 1_000);
    },
    add: (email, attributes) => workspace.add(email, attributes),
  };
}

class Workspace {
  readonly people: Person[] = [];
  readonly ignored = new Set<string>();
  private made = 0;
  private readonly asText: boolean;
  private readonly lag: number;
  private readonly track: CallWindow;
  private readonly app: CallWindow;
  private pending: { looks: number; apply: () => void }[] = [];

  constructor({ lag = 0, appCalls = 1_000_000, trackCalls = TRACK_CALLS, asText = true }: CustomerioWorld) {
    this.track = new CallWindow(trackCalls, 1_000);
    this.lag = lag;
    this.asText = asText;
    this.app = new CallWindow(appCalls, 1_000);
  }

  add(email: string, attributes: Record<string, unknown> = {}): Person {
    const person = { cio_id: `0a0${this.made}`, email, attributes };
    this.made += 1;
    this.people.push(person);
    return person;
  }

  withEmail(email: string): Person[] {
    return this.people.filter((one) => one.email.toLowerCase() === email.toLowerCase());
  }

  settle(): void {
    for (const { apply } of this.pending.splice(0)) apply();
  }

  about({ url, body }: Call): string | undefined {
    const email = url.searchParams.get('email');
    if (email !== null) return email;
    const suppressed = suppressedIn(url);
    if (suppressed !== undefined && !suppressed.startsWith('cio_')) return suppressed;
    const id = suppressed?.slice(4) ?? /^\/v1\/customers\/([^/]+)\/attributes$/.exec(url.pathname)?.[1];
    const { cio_id = id, email: named } = body ? identifiersOf(body) : {};
    return named ?? this.people.find((one) => one.cio_id === cio_id)?.email;
  }

  answer(call: Call): Answer {
    const { pathname } = call.url;
    if (pathname.startsWith('/api/')) return this.answerTrack(call);
    if (call.headers.authorization !== `Bearer ${APP}`) return { status: 401 };
    if (!this.app.takes()) return { status: 429 };
    if (pathname === '/v1/workspaces') return ok({ workspaces: [{ id: 1, name: 'shop' }] });
    if (pathname === '/v1/subscription_topics')
      return ok({ topics: TOPICS.map((id) => ({ id, identifier: `topic_${id}`, name: `topic ${id}` })) });
    if (pathname === '/v1/customers' && call.method === 'POST') return this.search(call);
    if (pathname === '/v1/customers') return this.find(call.url);
    const id = /^\/v1\/customers\/([^/]+)\/attributes$/.exec(pathname)?.[1];
    return id === undefined ? { status: 404 } : this.show(id, call.url.searchParams.get('id_type'));
  }

  private answerTrack({ method, url, headers, body }: Call): Answer {
    const expected = `Basic ${Buffer.from(TRACK).toString('base64')}`;
    if (headers.authorization !== expected) return { status: 401, body: '{"meta":{"error":"Unauthorized"}}' };
    if (!this.track.takes()) return { status: 429 };
    if (url.pathname === '/api/v1/accounts/region')
      return ok({ url: 'track.customer.io', data_center: 'us', environment_id: 1 });
    const suppressed = suppressedIn(url);
    if (method === 'POST' && suppressed !== undefined) {
      this.pending.push({ looks: this.lag, apply: () => this.erase(suppressed) });
      this.look();
      return ok({});
    }
    if (method !== 'POST' || url.pathname !== '/api/v2/entity') return { status: 404 };
    const { type, action } = JSON.parse(body) as { type: string; action: string };
    if (action !== 'identify') throw new Error(`a person is to be ${action}ed`);
    if (type !== 'person') return { status: 400, body: '{"errors":[{"reason":"invalid","field":"type"}]}' };
    this.pending.push({ looks: this.lag, apply: () => this.identify(body) });
    this.look();
    return ok({});
  }

  /** By cio_id, or by an address, which is ignored from then on. An identifier that nobody has is taken, too. */
  private erase(identifier: string): void {
    const gone = this.people.filter(
      (one) => `cio_${one.cio_id}` === identifier || sameEmail(one, identifier),
    );
    for (const one of gone) this.people.splice(this.people.indexOf(one), 1);
    for (const { email } of gone) this.ignored.add(email.toLowerCase());
    this.ignored.add(identifier.toLowerCase());
  }

  /** Takes what it has taken a look further. */
  private look(): void {
    const due = this.pending.filter(({ looks }) => looks <= 0);
    this.pending = this.pending.filter(({ looks }) => looks > 0);
    for (const { apply } of due) apply();
    for (const write of this.pending) write.looks -= 1;
  }

  private identify(body: string): void {
    const { attributes } = JSON.parse(body) as { attributes: Record<string, unknown> };
    const { cio_id, email } = identifiersOf(body);
    const known = this.people.filter((one) => (cio_id ? one.cio_id === cio_id : sameEmail(one, email)));
    // A person who is named by cio_id and is gone is dropped without a word.
    const unknown = known.length === 0 && email !== undefined && !this.ignored.has(email.toLowerCase());
    const people = unknown ? [this.add(email)] : known;
    for (const one of people)
      for (const [name, value] of Object.entries(attributes)) setAt(one.attributes, name.split('.'), value);
  }

  /** Ten at most on a page. */
  private search({ url, body }: Call): Answer {
    const { attribute } = (JSON.parse(body) as { filter: { attribute: Record<string, string> } }).filter;
    if (attribute.field !== 'unsubscribed' || attribute.value !== 'true') return { status: 400 };
    const from = Number(url.searchParams.get('start') || 0);
    const found = this.people.filter(isUnsubscribed);
    const identifiers = found
      .slice(from, from + 10)
      .map(({ cio_id, email }) => ({ cio_id, email, id: null }));
    return ok({ identifiers, ids: [], next: from + 10 < found.length ? String(from + 10) : '' });
  }

  private find(url: URL): Answer {
    this.look();
    const people = this.withEmail(url.searchParams.get('email') ?? '');
    return ok({ results: people.map(({ cio_id, email }) => ({ cio_id, email, id: null })) });
  }

  private show(id: string, idType: string | null): Answer {
    this.look();
    const person = idType === 'cio_id' ? this.people.find(({ cio_id }) => cio_id === id) : undefined;
    if (!person) return { status: 404 };
    const shown = Object.entries(person.attributes).map(([name, value]) => [
      name,
      this.asText && typeof value === 'object' ? JSON.stringify(value) : value,
    ]);
    const attributes = Object.fromEntries(shown);
    return ok({ customer: { id: '', attributes, unsubscribed: isUnsubscribed(person), devices: [] } });
  }
}

/** /api/v1/customers/{address, or cio_ and id}/suppress */
function suppressedIn({ pathname }: URL): string | undefined {
  const [, identifier] = /^\/api\/v1\/customers\/([^/]+)\/suppress$/.exec(pathname) ?? [];
  return identifier === undefined ? undefined : decodeURIComponent(identifier);
}

const isUnsubscribed = ({ attributes }: Person) => attributes.unsubscribed === true;

const sameEmail = (one: Person, email: string | undefined) =>
  email !== undefined && one.email.toLowerCase() === email.toLowerCase();

function identifiersOf(body: string): { cio_id?: string; email?: string } {
  return (JSON.parse(body) as { identifiers?: { cio_id?: string; email?: string } }).identifiers ?? {};
}

function setAt(into: Record<string, unknown>, [first = '', ...rest]: string[], value: unknown): void {
  if (rest.length === 0) into[first] = value;
  else {
    const inner = { ...(into[first] as Record<string, unknown> | undefined) };
    setAt(inner, rest, value);
    into[first] = inner;
  }
}

const ok = (body: object): Answer => ({ status: 200, body: JSON.stringify(body) });
