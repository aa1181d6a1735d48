import type { Answer, Call, CrmHarness, PlayedCrm } from '../testing/harness.ts';

const KEY = '3MVG9consumer.key_of_the_tests';
const SECRET = '1955279925675241571';
const DATA = '/services/data/v62.0';

const LIMIT: Answer = {
  status: 403,
  body: JSON.stringify([{ message: 'TotalRequests Limit exceeded.', errorCode: 'REQUEST_LIMIT_EXCEEDED' }]),
};

/** The API as the vendor documents it, not as the adapter uses it. */
export const harness: CrmHarness = {
  // The adapter makes no contacts: whoever is asked about is one.
  play: () => playSalesforce({ knowsAll: true }),
  throttled: () => ({ answer: LIMIT, afterMs: 10_000 }),
};

export interface SalesforceRow {
  readonly id: string;
  readonly object: 'Contact' | 'Lead';
  email: string;
  optedOut: boolean;
  converted: boolean;
  modifiedAt: number;
}

export interface SalesforceWorld {
  /** Everybody who is asked about becomes a contact, before the answer. */
  readonly knowsAll?: boolean;
  /** The user of the app may not edit the opt-out. */
  readonly readOnly?: boolean;
  /** The user of the app does not see the opt-out. */
  readonly hidden?: boolean;
  /** Codes that the next changes are refused with, one each. */
  readonly rowErrors?: string[];
  /** Happens between the call that reads and the one that writes. */
  readonly between?: (rows: readonly SalesforceRow[]) => void;
}

export interface PlayedSalesforce extends PlayedCrm {
  readonly rows: readonly SalesforceRow[];
  add(object: 'Contact' | 'Lead', email: string, fields?: Partial<SalesforceRow>): SalesforceRow;
  /** The session ends: its token is refused from now on. */
  expire(): void;
  exhaust(): void;
  readonly logins: () => number;
}

export function playSalesforce(world: SalesforceWorld = {}): PlayedSalesforce {
  const org = new Org(world);
  return {
    settings: (base) => ({ url: base, secrets: [`${KEY}:${SECRET}`] }),
    wrongSecrets: [`${KEY}:2955279925675241571`],
    answer: (call) => org.answer(call),
    recipientOf: (call) => org.about(call),
    reads: ({ url, body }) => url.pathname === '/services/oauth2/token' || !body.includes('"PATCH"'),
    held(recipient) {
      const rows = org.withEmail(recipient);
      return rows.length === 0 ? undefined : { suppressed: rows.every(({ optedOut }) => optedOut) };
    },
    recipients: () => [...new Set(org.rows.map(({ email }) => email))],
    optOut(recipient) {
      const known = org.withEmail(recipient);
      for (const row of known.length > 0 ? known : [org.add('Contact', recipient)]) row.optedOut = true;
    },
    rows: org.rows,
    add: (object, email, fields) => org.add(object, email, fields),
    expire: () => void org.sessions.clear(),
    exhaust() {
      org.exhausted = true;
    },
    logins: () => org.logins,
  };
}

interface Part {
  readonly method: string;
  readonly url: string;
  readonly referenceId: string;
  readonly httpHeaders?: { readonly [name: string]: string };
  readonly body?: { readonly HasOptedOutOfEmail?: boolean };
}

class Org {
  readonly rows: SalesforceRow[] = [];
  readonly sessions = new Set<string>();
  exhausted = false;
  logins = 0;
  private readonly world: SalesforceWorld;
  private clock = Date.UTC(2026, 10, 30);

  constructor(world: SalesforceWorld) {
    this.world = world;
  }

  add(object: 'Contact' | 'Lead', email: string, fields: Partial<SalesforceRow> = {}): SalesforceRow {
    const id = `${object === 'Lead' ? '00Q' : '003'}${String(this.rows.length).padStart(15, '0')}`;
    const row = { id, object, email, optedOut: false, converted: false, modifiedAt: this.clock, ...fields };
    this.rows.push(row);
    return row;
  }

  withEmail(email: string): SalesforceRow[] {
    return this.rows.filter((row) => row.email.toLowerCase() === email.toLowerCase());
  }

  about({ url, body }: Call): string | undefined {
    if (url.pathname !== `${DATA}/composite`) return undefined;
    const [part] = partsOf(body);
    if (!part) return undefined;
    if (part.method === 'GET')
      return listedIn(part.url) || askedIn(part.url) ? undefined : queryIn(part.url).email;
    return this.rows.find(({ id }) => part.url.endsWith(`/${id}`))?.email;
  }

  answer({ method, url, headers, body }: Call): Answer {
    if (url.pathname === '/services/oauth2/token' && method === 'POST') return this.login(body);
    if (!this.sessions.has(headers.authorization ?? ''))
      return errorOf(401, 'INVALID_SESSION_ID', 'Session expired or invalid');
    if (this.exhausted) return LIMIT;
    if (url.pathname !== `${DATA}/composite` || method !== 'POST')
      return errorOf(404, 'NOT_FOUND', 'no such');
    const parts = partsOf(body);
    if (parts.length === 0 || parts.length > 25) return errorOf(400, 'INVALID_INPUT', 'too many');
    if (parts.filter((part) => part.method === 'GET').length > 5)
      return errorOf(400, 'INVALID_INPUT', 'queries');
    if (parts.some((part) => part.method === 'PATCH')) this.world.between?.(this.rows);
    const compositeResponse = parts.map((part) => {
      const answer = part.method === 'GET' ? this.query(part) : this.patch(part);
      const { status: httpStatusCode, body: of } = answer;
      return {
        httpStatusCode,
        body: of === undefined ? null : JSON.parse(of),
        referenceId: part.referenceId,
      };
    });
    return { status: 200, body: JSON.stringify({ compositeResponse }) };
  }

  private login(body: string): Answer {
    const form = new URLSearchParams(body);
    const known = form.get('client_id') === KEY && form.get('client_secret') === SECRET;
    if (form.get('grant_type') !== 'client_credentials')
      return json(400, { error: 'unsupported_grant_type' });
    if (!known)
      return json(400, { error: 'invalid_client', error_description: 'invalid client credentials' });
    const token = `00Dtoken!${++this.logins}`;
    this.sessions.add(`Bearer ${token}`);
    return json(200, {
      access_token: token,
      token_type: 'Bearer',
      instance_url: 'https://shop.my.salesforce.com',
    });
  }

  private query({ url }: Part): Answer {
    if (this.world.hidden) return errorOf(400, 'INVALID_FIELD', "No such column 'HasOptedOutOfEmail'");
    const listed = listedIn(url);
    if (listed) return this.list(listed);
    const asked = askedIn(url);
    if (asked) return this.stillMailed(asked);
    const { object, email, after, limit } = queryIn(url);
    if (email !== undefined && this.world.knowsAll && this.withEmail(email).length === 0)
      this.add('Contact', email);
    const found = this.rows.filter(
      (row) =>
        row.object === object &&
        row.id > after &&
        !(object === 'Lead' && row.converted) &&
        (email === undefined || (row.email.toLowerCase() === email.toLowerCase() && !row.optedOut)),
    );
    const records = found.slice(0, limit).map((row) => ({
      attributes: { type: row.object },
      Id: row.id,
      HasOptedOutOfEmail: row.optedOut,
      LastModifiedDate: new Date(row.modifiedAt).toISOString().replace('Z', '+0000'),
    }));
    return json(200, { totalSize: records.length, done: true, records });
  }

  private stillMailed({ object, emails }: { object: string; emails: readonly string[] }): Answer {
    const records = this.rows
      .filter((row) => row.object === object && !row.optedOut && !(object === 'Lead' && row.converted))
      .filter((row) => emails.some((email) => email.toLowerCase() === row.email.toLowerCase()))
      .map((row) => ({ attributes: { type: row.object }, Id: row.id, Email: row.email }));
    return json(200, { totalSize: records.length, done: true, records });
  }

  private list({ object, after, limit }: { object: string; after: string; limit: number }): Answer {
    const found = this.rows.filter((row) => row.object === object && row.optedOut && row.id > after);
    const records = found
      .sort((a, b) => (a.id < b.id ? -1 : 1))
      .slice(0, limit)
      .map((row) => ({ attributes: { type: row.object }, Id: row.id, Email: row.email }));
    return json(200, { totalSize: found.length, done: true, records });
  }

  private patch({ url, httpHeaders = {}, body }: Part): Answer {
    const row = this.rows.find(({ id }) => url.endsWith(`/${id}`));
    if (!row) return errorOf(404, 'NOT_FOUND', 'The requested resource does not exist');
    const code = this.world.rowErrors?.shift();
    if (code) return errorOf(400, code, 'as documented');
    const since = httpHeaders['If-Unmodified-Since'];
    if (since !== undefined) {
      if (Number.isNaN(Date.parse(since)) || !/GMT$/.test(since))
        return errorOf(400, 'INVALID_INPUT', 'header');
      if (row.modifiedAt > Date.parse(since)) return { status: 412 };
    }
    if (this.world.readOnly)
      return errorOf(400, 'INVALID_FIELD_FOR_INSERT_UPDATE', 'Unable to create/update fields');
    if (body?.HasOptedOutOfEmail !== true) throw new Error('somebody is opted in');
    row.optedOut = true;
    this.clock += 1_000;
    row.modifiedAt = this.clock;
    return { status: 204 };
  }
}

const partsOf = (body: string) => (JSON.parse(body) as { compositeRequest: Part[] }).compositeRequest;

/** A text of SOQL ends at the first quote without a backslash before it. */
const SOQL =
  /^SELECT Id, HasOptedOutOfEmail, LastModifiedDate FROM (\w+) WHERE (?:Email = '((?:[^'\\]|\\.)*)' AND HasOptedOutOfEmail = false(?: AND Id > '(\w+)')?|Id != null)(?: AND IsConverted = false)? ORDER BY Id LIMIT (\d+)$/s;

function queryIn(url: string): { object?: string; email?: string; after: string; limit: number } {
  const soql = new URL(url, 'https://shop.my.salesforce.com').searchParams.get('q') ?? '';
  const [, object, email, after = '', limit] = SOQL.exec(soql) ?? [];
  if (object === undefined) throw new Error('a query that is not understood');
  const plain = email?.replaceAll(/\\(.)/gs, '$1');
  return { object, after, limit: Number(limit), ...(plain !== undefined && { email: plain }) };
}

const LISTED =
  /^SELECT Id, Email FROM (\w+) WHERE HasOptedOutOfEmail = true AND Email != null(?: AND Id > '(\w+)')? ORDER BY Id LIMIT (\d+)$/;

function listedIn(url: string): { object: string; after: string; limit: number } | undefined {
  const soql = new URL(url, 'https://shop.my.salesforce.com').searchParams.get('q') ?? '';
  const [, object, after = '', limit] = LISTED.exec(soql) ?? [];
  return object === undefined ? undefined : { object, after, limit: Number(limit) };
}

const ASKED =
  /^SELECT Id, Email FROM (\w+) WHERE HasOptedOutOfEmail = false AND Email IN \((.+)\)(?: AND IsConverted = false)? LIMIT \d+$/s;

function askedIn(url: string): { object: string; emails: readonly string[] } | undefined {
  const soql = new URL(url, 'https://shop.my.salesforce.com').searchParams.get('q') ?? '';
  const [, object, list = ''] = ASKED.exec(soql) ?? [];
  if (object === undefined) return undefined;
  const emails = [...list.matchAll(/'((?:[^'\\]|\\.)*)'/gs)].map(([, text = '']) =>
    text.replaceAll(/\\(.)/gs, '$1'),
  );
  return { object, emails };
}

const json = (status: number, body: object): Answer => ({ status, body: JSON.stringify(body) });

const errorOf = (status: number, errorCode: string, message: string): Answer =>
  json(status, [{ message, errorCode }]);
