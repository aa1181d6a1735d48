import { instantsIn } from '../testing/engaged.ts';
import type { Answer, Call, CrmHarness, PlayedCrm } from '../testing/harness.ts';

/** In the place of a contact that was deleted: places are ids. */
const GONE = '(gone)';
const TOKEN = 'bcrm_pat_of-the-tests';

/** Contacts and custom fields of django-crm 1.35.0. It takes more addresses than that. */
export const harness: CrmHarness = { play: () => play() };

export interface Contact {
  readonly email: string;
  custom_fields: { [key: string]: unknown };
}

export interface PlayedBottlecrm extends PlayedCrm {
  /** Somebody else makes a contact. */
  add(email: string, custom_fields?: Contact['custom_fields']): void;
  contact(email: string): Contact | undefined;
}

interface Definition {
  readonly key: string;
  readonly field_type: string;
  readonly options?: readonly { readonly value: string; readonly label: string }[];
}

export const DEFINITIONS: readonly Definition[] = [
  { key: 'email_suppression', field_type: 'text' },
  { key: 'email_suppression_reasons', field_type: 'textarea' },
  { key: 'email_suppression_version', field_type: 'number' },
  ...['delivered', 'opened', 'clicked'].map((name) => ({
    key: `email_last_${name}`,
    field_type: 'text',
  })),
  // In which the CRM's users opt somebody out.
  { key: 'no_mail', field_type: 'checkbox' },
];

export function play(definitions: readonly Definition[] = DEFINITIONS): PlayedBottlecrm {
  /** By id, which is the place. */
  const contacts: Contact[] = [];
  const known = (email: string) => contacts.find((each) => each.email.toLowerCase() === email.toLowerCase());

  function answer(call: Call): Answer {
    if (call.headers.authorization !== `Bearer ${TOKEN}`)
      return json(403, { detail: 'Organization context is required.' });
    const { method, url, body } = call;
    if (url.pathname === '/api/custom-fields/') return json(200, { definitions, totals: null });
    const [, id] = /^\/api\/contacts\/(?:([0-9a-f-]{36})\/)?$/.exec(url.pathname) ?? [null];
    if (id === null) return { status: 404 };
    if (id === undefined) return method === 'POST' ? create(body) : browse(contacts, url);
    const found = contacts[placeOf(id)];
    if (!found || found.email === GONE) return json(404, { detail: 'No Contact matches the given query.' });
    if (method === 'DELETE') {
      contacts[placeOf(id)] = { email: GONE, custom_fields: {} };
      return json(200, { error: false, message: 'Contact Deleted Successfully.' });
    }
    const { custom_fields = {} } = JSON.parse(body) as Partial<Contact>;
    Object.assign(found.custom_fields, taken(custom_fields));
    for (const [key, value] of Object.entries(custom_fields))
      if (value === null || value === '') delete found.custom_fields[key];
    return json(200, { error: false, message: 'Contact Updated Successfully' });
  }

  /** Without those that are not defined: they are dropped, and nothing says so. */
  function taken(values: Contact['custom_fields']): Contact['custom_fields'] {
    const defined = Object.entries(values).filter(([key]) => definitions.some((each) => each.key === key));
    return Object.fromEntries(defined.filter(([, value]) => value !== null && value !== ''));
  }

  function create(body: string): Answer {
    const {
      first_name,
      last_name,
      email,
      custom_fields = {},
    } = JSON.parse(body) as Contact & {
      [name: string]: unknown;
    };
    if (!first_name || !last_name || !email?.includes('@'))
      return json(400, { error: true, errors: { email: ['Enter a valid email address.'] } });
    if (known(email))
      return json(400, { error: true, errors: { email: ['Contact already exists with this email'] } });
    contacts.push({ email, custom_fields: taken(custom_fields) });
    return json(200, { error: false, id: idOf(contacts.length - 1) });
  }

  return {
    settings: (base) => ({ url: base, secrets: [TOKEN] }),
    wrongSecrets: ['bcrm_pat_of-somebody-else'],
    answer,
    recipientOf({ method, url, body }) {
      if (method === 'GET') return url.searchParams.get('email') ?? undefined;
      const [, id] = /\/contacts\/([0-9a-f-]{36})\/$/.exec(url.pathname) ?? [];
      return id === undefined ? (JSON.parse(body) as Contact).email : contacts[placeOf(id)]?.email;
    },
    held(recipient) {
      const found = known(recipient)?.custom_fields;
      return found && { suppressed: found.email_suppression === 'suppressed' || found.no_mail === true };
    },
    recipients: () => contacts.map(({ email }) => email).filter((email) => email !== GONE),
    optOut(recipient) {
      const found = known(recipient);
      if (found) found.custom_fields.no_mail = true;
      else contacts.push({ email: recipient, custom_fields: { no_mail: true } });
    },
    importContact: (recipient) => void contacts.push({ email: recipient, custom_fields: {} }),
    engaged(recipient) {
      const found = known(recipient);
      return found && instantsIn(found.custom_fields, Date.parse);
    },
    add: (email, custom_fields = {}) => void contacts.push({ email, custom_fields: { ...custom_fields } }),
    contact: known,
  };
}

function browse(contacts: readonly Contact[], { searchParams }: URL): Answer {
  const part = searchParams.get('email')?.toLowerCase() ?? '';
  const pairs = [...searchParams].filter(([name]) => name.startsWith('cf_'));
  const matching = contacts.filter(
    ({ email, custom_fields }) =>
      email.toLowerCase().includes(part) &&
      pairs.every(([name, value]) => custom_fields[name.slice(3)] === value),
  );
  const [limit, offset] = ['limit', 'offset'].map((name) => Number(searchParams.get(name) ?? 0));
  const results = matching
    .toReversed()
    .slice(offset, (offset ?? 0) + (limit || 10))
    .map((each) => ({ id: idOf(contacts.indexOf(each)), ...each }));
  return json(200, { count: matching.length, results });
}

const idOf = (place: number) => `00000000-0000-4000-8000-${place.toString(16).padStart(12, '0')}`;
const placeOf = (id: string) => Number.parseInt(id.slice(-12), 16);

const json = (status: number, body: object): Answer => ({ status, body: JSON.stringify(body) });
