import type { Answer, Call, CrmHarness, PlayedCrm } from '../testing/harness.ts';
import { CallWindow } from '../testing/limits.ts';

const KEY = 'activecampaign-key-of-the-tests';
const LISTS = 250;

/** The API as the vendor documents it, not as the adapter uses it. */
export const harness: CrmHarness = {
  // The adapter makes no contacts: whoever is asked about is one, and on a list.
  play: () => playActiveCampaign({ knowsAll: true }),
};

interface Contact {
  readonly id: number;
  readonly email: string;
  /** Status by list: 0 unconfirmed, 1 active, 2 unsubscribed, 3 bounced. */
  readonly lists: Map<number, number>;
}

export interface ActiveCampaignWorld {
  readonly knowsAll?: boolean;
  /** Calls in a second. */
  readonly calls?: number;
}

export interface PlayedActiveCampaign extends PlayedCrm {
  add(email: string, lists?: { readonly [list: number]: number }): Contact;
}

export function playActiveCampaign(world: ActiveCampaignWorld = {}): PlayedActiveCampaign {
  const account = new Account(world);
  const { contacts } = account;
  return {
    settings: (base) => ({ url: base, secrets: [KEY], options: { streams: { digest: 2 } } }),
    wrongSecrets: ['activecampaign-key-of-another-account'],
    answer: (call) => account.answer(call),
    recipientOf: (call) => account.about(call),
    held(recipient) {
      const contact = contacts.find(({ email }) => email === recipient);
      return contact && { suppressed: [...contact.lists.values()].every((status) => status >= 2) };
    },
    recipients: () => contacts.map(({ email }) => email),
    optOut(recipient) {
      const known = contacts.find(({ email }) => email === recipient);
      const { lists } = known ?? account.add(recipient, { 1: 1 });
      for (const list of lists.keys()) lists.set(list, 2);
    },
    importContact: (recipient) => void account.add(recipient, { 1: 1 }),
    add: (email, lists) => account.add(email, lists),
  };
}

class Account {
  readonly contacts: Contact[] = [];
  private readonly deleted = new Set<string>();
  private made = 0;
  private readonly world: ActiveCampaignWorld;
  private readonly window: CallWindow;

  constructor(world: ActiveCampaignWorld) {
    this.world = world;
    this.window = new CallWindow(world.calls ?? 1_000_000, 1_000);
  }

  add(email: string, lists: { readonly [list: number]: number } = {}): Contact {
    const on = Object.entries(lists).map(([list, status]) => [Number(list), status] as const);
    const contact = { id: 900 + this.made, email, lists: new Map(on) };
    this.made += 1;
    this.contacts.push(contact);
    return contact;
  }

  about({ method, url, body }: Call): string | undefined {
    const email = url.searchParams.get('email');
    if (email !== null) return email;
    const id = method === 'POST' ? contactListIn(body).contact : idIn(url, 'contacts');
    return this.contacts.find((contact) => contact.id === id)?.email;
  }

  answer({ method, url, headers, body }: Call): Answer {
    if (headers['api-token'] !== KEY) return json(403, { message: 'You are not authorized.' });
    if (!this.window.takes())
      return {
        status: 429,
        headers: { 'retry-after': '1', 'ratelimit-limit': '5', 'ratelimit-remaining': '0' },
      };
    const { pathname, searchParams } = url;
    if (method === 'POST' && pathname === '/api/3/contactLists') return this.change(body);
    if (pathname === '/api/3/lists') return json(200, { lists: [{ id: '1', name: 'list 1' }] });
    if (pathname.startsWith('/api/3/lists/')) {
      const list = idIn(url, 'lists');
      return list > 0 && list <= LISTS
        ? json(200, { list: { id: String(list) } })
        : json(404, { message: 'No Result' });
    }
    if (pathname === '/api/3/contacts') return this.find(searchParams);
    if (method === 'DELETE') return this.remove(idIn(url, 'contacts'));
    if (!pathname.endsWith('/contactLists')) return json(404, { message: 'No Result' });
    const contact = this.contacts.find(({ id }) => id === idIn(url, 'contacts'));
    if (!contact) return json(404, { message: 'No Result found for Subscriber' });
    const [limit, offset] = ['limit', 'offset'].map((name) => searchParams.get(name)) as [
      string | null,
      string | null,
    ];
    const from = Number(offset ?? 0);
    const all = [...contact.lists].map(([list, status], at) => ({
      ...{ id: String(at + 1), contact: String(contact.id), list: String(list), status: String(status) },
    }));
    return json(200, { contactLists: all.slice(from, from + Math.min(100, Number(limit ?? 20))) });
  }

  private remove(id: number): Answer {
    const at = this.contacts.findIndex((contact) => contact.id === id);
    const [gone] = at < 0 ? [] : this.contacts.splice(at, 1);
    if (!gone) return json(404, { message: 'No Result found for Subscriber' });
    this.deleted.add(gone.email);
    return json(200, {});
  }

  /** By a part of the address, too. */
  private find(params: URLSearchParams): Answer {
    const email = params.get('email') ?? '';
    const known = this.deleted.has(email) || this.contacts.some((contact) => contact.email === email);
    if (this.world.knowsAll && !known) this.add(email, { 1: 1 });
    const found = this.contacts.filter((contact) => contact.email.includes(email));
    const from = Number(params.get('offset') ?? 0);
    const contacts = found
      .slice(from, from + Math.min(100, Number(params.get('limit') ?? 20)))
      .map((contact) => ({ id: String(contact.id), email: contact.email }));
    return json(200, { contacts, meta: { total: String(found.length) } });
  }

  private change(body: string): Answer {
    const { contact: id, list, status } = contactListIn(body);
    const contact = this.contacts.find((one) => one.id === id);
    if (!contact || list < 1 || list > LISTS) return json(404, { message: 'No Result' });
    if (status !== 2) throw new Error('somebody is subscribed');
    contact.lists.set(list, status);
    return json(200, { contacts: [], contactList: { contact: id, list, status } });
  }
}

const contactListIn = (body: string) =>
  (JSON.parse(body) as { contactList: { contact: number; list: number; status: number } }).contactList;

const idIn = ({ pathname }: URL, of: string): number =>
  Number(new RegExp(`/${of}/(\\d+)`).exec(pathname)?.[1] ?? Number.NaN);

const json = (status: number, body: object): Answer => ({ status, body: JSON.stringify(body) });
