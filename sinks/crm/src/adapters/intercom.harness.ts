import type { Answer, Call, CrmHarness, PlayedCrm } from '../testing/harness.ts';

const TOKEN = 'dG9rOmludGVyY29tLXRva2VuLW9mLXRoZS10ZXN0cw==';

/** The API as the vendor documents it, not as the adapter uses it. */
export const harness: CrmHarness = {
  play: () => playIntercom(),
  // The reset is in whole seconds of the epoch: it may be up to a second more than what is left.
  throttled: () => ({ answer: { status: 429, body: errorBody('rate_limit_exceeded') }, afterMs: undefined }),
};

export interface IntercomContact {
  readonly id: string;
  readonly email: string;
  readonly role: 'user' | 'lead';
  unsubscribed: boolean;
  bounced: boolean;
  /** Searches until it is found, or is found as it is now. */
  hidden: number;
}

export interface IntercomWorld {
  /** Searches until a new contact is found: it takes minutes. */
  readonly lag?: number;
  /** A conflict says with which contact. */
  readonly tellsId?: boolean;
  /** Changes are taken, and not made. */
  readonly ignores?: boolean;
}

export interface PlayedIntercom extends PlayedCrm {
  add(email: string, role?: 'user' | 'lead'): IntercomContact;
}

export function playIntercom(world: IntercomWorld = {}): PlayedIntercom {
  const workspace = new Workspace(world);
  return {
    settings: (base) => ({ url: base, secrets: [TOKEN] }),
    wrongSecrets: ['dG9rOm9mLWFub3RoZXItYXBw'],
    answer: (call) => workspace.answer(call),
    recipientOf: (call) => workspace.about(call),
    reads: ({ url }) => url.pathname === '/contacts/search',
    held(recipient) {
      const all = workspace.withEmail(recipient);
      return all.length === 0 ? undefined : { suppressed: all.every(({ unsubscribed }) => unsubscribed) };
    },
    recipients: () => [...new Set(workspace.contacts.map(({ email }) => email))],
    optOut(recipient) {
      const known = workspace.withEmail(recipient);
      for (const one of known.length > 0 ? known : [workspace.add(recipient, 'user')])
        one.unsubscribed = true;
    },
    importContact: (recipient) => void workspace.add(recipient, 'user'),
    add: (email, role = 'user') => workspace.add(email, role),
  };
}

interface ContactBody {
  readonly email?: string;
  readonly role?: 'user' | 'lead';
  readonly unsubscribed_from_emails?: boolean;
}

class Workspace {
  readonly contacts: IntercomContact[] = [];
  private made = 0;
  private readonly lag: number;
  private readonly ignores: boolean;
  private readonly tellsId: boolean;

  constructor({ lag = 3, ignores = false, tellsId = true }: IntercomWorld) {
    this.tellsId = tellsId;
    this.lag = lag;
    this.ignores = ignores;
  }

  add(email: string, role: 'user' | 'lead', hidden = 0): IntercomContact {
    this.made += 1;
    const id = `65e${String(this.made).padStart(21, '0')}`;
    const contact = { id, email, role, unsubscribed: false, bounced: false, hidden };
    this.contacts.push(contact);
    return contact;
  }

  withEmail(email: string): IntercomContact[] {
    return this.contacts.filter((one) => one.email === email);
  }

  about({ method, url, body }: Call): string | undefined {
    if (url.pathname === '/contacts/search') {
      const email = searchedFor(body);
      return email?.endsWith('@invalid') ? undefined : email;
    }
    if (method === 'POST') return (JSON.parse(body) as ContactBody).email;
    return this.contacts.find(({ id }) => url.pathname === `/contacts/${id}`)?.email;
  }

  answer({ method, url, headers, body }: Call): Answer {
    if (headers.authorization !== `Bearer ${TOKEN}`) return { status: 401, body: errorBody('unauthorized') };
    if (!/^2\.\d+$/.test(headers['intercom-version'] ?? ''))
      return { status: 400, body: errorBody('intercom_version_invalid') };
    if (url.pathname === '/contacts/search' && method === 'POST') return this.search(body);
    if (url.pathname === '/contacts' && method === 'POST')
      return this.create(JSON.parse(body) as ContactBody);
    const contact = this.contacts.find(({ id }) => url.pathname === `/contacts/${id}`);
    if (!contact) return { status: 404, body: errorBody('not_found') };
    if (method === 'DELETE') return this.remove(contact);
    if (method === 'PUT') this.change(contact, JSON.parse(body) as ContactBody);
    return shown(contact);
  }

  private remove(contact: IntercomContact): Answer {
    this.contacts.splice(this.contacts.indexOf(contact), 1);
    return { status: 200, body: JSON.stringify({ type: 'contact', id: contact.id, deleted: true }) };
  }

  private search(body: string): Answer {
    const email = searchedFor(body);
    const wide = searchedFlags(body);
    if (wide) return this.list(wide);
    if (email === undefined) return { status: 400, body: errorBody('parameter_invalid') };
    const found: Record<string, unknown>[] = [];
    for (const contact of this.withEmail(email)) {
      if (contact.hidden > 0) contact.hidden -= 1;
      else found.push(fieldsOf(contact));
    }
    return paged(found, cursorIn(body));
  }

  private list({ flags, after }: { flags: readonly string[]; after: string | undefined }): Answer {
    const found = this.contacts.map(fieldsOf).filter((fields) => flags.some((name) => fields[name] === true));
    return paged(found, after);
  }

  private create(fields: ContactBody): Answer {
    const { email = '', role = 'user' } = fields;
    const user = role === 'user' ? this.withEmail(email).find((one) => one.role === 'user') : undefined;
    if (user) {
      const id = this.tellsId ? ` with id=${user.id}` : '';
      return {
        status: 409,
        body: errorBody('conflict', `A contact matching those details already exists${id}`),
      };
    }
    const contact = this.add(email, role, this.lag);
    this.change(contact, fields);
    return shown(contact);
  }

  private change(contact: IntercomContact, { unsubscribed_from_emails }: ContactBody): void {
    if (unsubscribed_from_emails === false) throw new Error('somebody is subscribed');
    if (unsubscribed_from_emails && !this.ignores) contact.unsubscribed = true;
  }
}

/** Ten at most on a page. */
function paged(found: readonly Record<string, unknown>[], after: string | undefined): Answer {
  const from = found.findIndex(({ id }) => id === after) + 1;
  const data = found.slice(from, from + 10);
  const next = from + 10 < found.length ? { page: 2, starting_after: data.at(-1)?.id } : undefined;
  const pages = { type: 'pages', ...(next && { next }) };
  return { status: 200, body: JSON.stringify({ type: 'list', total_count: found.length, data, pages }) };
}

const cursorIn = (body: string): string | undefined =>
  (JSON.parse(body) as { pagination?: { starting_after?: string } }).pagination?.starting_after;

function searchedFor(body: string): string | undefined {
  const { query } = JSON.parse(body) as { query?: { field: string; operator: string; value: string } };
  return query?.field === 'email' && query.operator === '=' ? query.value : undefined;
}

function searchedFlags(body: string): { flags: readonly string[]; after: string | undefined } | undefined {
  const { query, pagination } = JSON.parse(body) as {
    query?: { operator: string; value: { field: string; operator: string; value: unknown }[] };
    pagination?: { starting_after?: string };
  };
  if (query?.operator !== 'OR' || query.value.some(({ value }) => value !== 'true')) return undefined;
  return { flags: query.value.map(({ field }) => field), after: pagination?.starting_after };
}

const fieldsOf = ({ id, email, role, unsubscribed, bounced }: IntercomContact): Record<string, unknown> => ({
  type: 'contact',
  ...{ id, email, role, unsubscribed_from_emails: unsubscribed },
  ...{ has_hard_bounced: bounced, marked_email_as_spam: false },
});

const shown = (contact: IntercomContact): Answer => ({
  status: 200,
  body: JSON.stringify(fieldsOf(contact)),
});

const errorBody = (code: string, message = 'as documented') =>
  JSON.stringify({ type: 'error.list', request_id: 'r1', errors: [{ code, message }] });
