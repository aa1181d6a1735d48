import { z } from 'zod';
import {
  apiToken,
  crmAddress,
  defineCrm,
  forAll,
  forEveryReason,
  type PutResult,
  type StateFacts,
  type SuppressedPage,
} from '../crm.ts';
import { type ErasableContacts, eraseAll, isSame } from '../erasing.ts';
import { CrmError } from '../errors.ts';
import { type CrmResponse, retryAfterMs } from '../http-client.ts';
import { headerOf, JsonApi, path, readAs, shaped } from '../json-api.ts';
import { pagesOf, unbounded } from '../listing.ts';

// Seen in November 2026: Intercom's OpenAPI description (github.com/intercom/Intercom-OpenAPI, MIT) and its pages about limits and errors.
const VERSION = '2.11';

const suppresses: StateFacts = {
  effect: 'suppresses',
  how: '`unsubscribed_from_emails` of every contact with the address; an unknown one becomes a contact who is unsubscribed',
};

export const intercom = defineCrm({
  name: 'intercom',
  title: 'Intercom',
  documentation: [
    'https://developers.intercom.com/docs/references/rest-api/api.intercom.io/contacts',
    'https://developers.intercom.com/docs/references/rest-api/errors/rate-limiting',
  ],
  settings: z.strictObject({
    url: crmAddress(
      'https://api.intercom.io',
      'base of the API; elsewhere https://api.eu.intercom.io or https://api.au.intercom.io',
    ),
    secrets: apiToken('access token that may read and write users and leads'),
    options: z.strictObject({}),
  }),
  facts: {
    states: {
      ...forEveryReason(suppresses),
      stream: { effect: 'leaves', how: 'a contact is off all mail, or not' },
      lifted: { effect: 'leaves', how: '`unsubscribed_from_emails` does not say who set it' },
    },
    keepsReasons: false,
    newerStays: false,
    limits: '10,000 calls a minute an app, searches 1,000; spread over windows of ten seconds',
    pace: { windows: [{ calls: 166, perMs: 10_000 }] },
    capabilities: {
      suppressAll: '`unsubscribed_from_emails: true`',
      suppressStream: false,
      recordFailures: false,
      createContacts: 'an unknown address becomes a contact who is unsubscribed',
      batch: false,
      conditionalWrite: false,
      listSuppressed: 'search for who is unsubscribed, bounced or complained',
      eraseContacts: 'contacts deleted',
      engagement: false,
    },
    erasing: {
      after: 'mailable',
      how: 'the opt-out is the contact’s own; Intercom can bring it back for seven days, and keeps what was said in conversations',
    },
    scopes: ['Read and list users and companies', 'Write users and companies'],
    limitations: ['No reasons.', 'Hard bounces and complaints can be read at Intercom, not written.'],
  },
  connect({ url, secrets: [token] }, limits) {
    const headers = { authorization: `Bearer ${token?.reveal()}`, 'intercom-version': VERSION };
    const api = new JsonApi({
      base: url,
      headers,
      limits,
      errorOf: (answer) => errorOf(answer, limits.now()),
    });
    return {
      name: 'intercom',
      async check(signal) {
        // A search that finds nothing: it needs the right to read contacts, which /me does not.
        await search(api, 'nobody@invalid', signal);
      },
      async put(state, signal) {
        const { recipient, suppressed } = state.suppression;
        return suppressed ? unsubscribe(api, recipient, signal) : 'unchanged';
      },
      suppressed: (signal, after) => suppressedOf(api, signal, after),
      erase: (recipient, signal) => eraseAll(erasable(api, recipient), signal),
      close: () => api.close(),
    };
  },
});

const contact = z.object({
  id: z.string().min(1),
  email: z.string().nullish(),
  unsubscribed_from_emails: z.boolean().nullish(),
});
const cursor = z.object({ next: z.object({ starting_after: z.string() }).nullish() }).nullish();
const found = z.object({ data: z.array(contact), pages: cursor });

/** It has no Retry-After: the reset is an epoch time, in seconds. */
function errorOf(answer: CrmResponse, now: number): CrmError | undefined {
  if (answer.status === 429) {
    const reset = Number(headerOf(answer, 'x-ratelimit-reset')) * 1_000 - now;
    const wait =
      Number.isFinite(reset) && reset > 0 ? String(reset / 1_000) : headerOf(answer, 'retry-after');
    const afterMs = retryAfterMs(wait, now);
    return new CrmError('throttled', 'SINK_CRM_THROTTLED', 'the CRM answered 429', { afterMs });
  }
  return undefined;
}

/** Of a conflict: its message has the id, which the search finds only minutes later. */
const conflict = z.object({ errors: z.array(z.object({ message: z.string().nullish() })) });
const ID_OF_CONFLICT = /\bid=([0-9a-f]{24})\b/;

/**
 * Leads may share an address with each other and with a user. All of them are unsubscribed. A change is confirmed by its answer, not by
 * the search: that finds new contacts minutes later.
 */
async function unsubscribe(api: JsonApi, email: string, signal: AbortSignal): Promise<PutResult> {
  const data = await contactsOf(api, email, signal);
  if (data.length === 0) {
    await create(api, email, signal);
    return 'written';
  }
  const on = data.filter((one) => one.unsubscribed_from_emails !== true);
  await forAll(on, ({ id }) => change(api, id, signal));
  return on.length > 0 ? 'written' : 'unchanged';
}

/** Leads that share an address, a page of 150 each: every visitor may make some. */
const MOST_PAGES = 50;

/** Whatever the search finds besides is none of the recipient's. */
async function contactsOf(api: JsonApi, email: string, signal: AbortSignal) {
  const all: z.output<typeof contact>[] = [];
  let after: string | undefined;
  for (let page = 0; page < MOST_PAGES; page++) {
    const { data, pages } = await search(api, email, signal, after);
    all.push(...data.filter((one) => isSame(one.email, email)));
    const next = pages?.next?.starting_after;
    if (next === undefined) return all;
    after = next;
  }
  throw unbounded();
}

/** Body of a change, and a part of a new contact. */
export const OFF = { unsubscribed_from_emails: true } as const;

/** Body of a new contact. */
export const offContact = (email: string) => ({ role: 'user', email, ...OFF });

const deleted = z.object({ deleted: z.literal(true) });

/** Users and leads. The search finds for minutes who is gone, so that the answer to each deletion counts. */
function erasable(api: JsonApi, recipient: string): ErasableContacts {
  return {
    findsLate: true,
    async find(signal) {
      return (await contactsOf(api, recipient, signal)).flatMap(({ id, email }) =>
        isSame(email, recipient) ? id : [],
      );
    },
    async remove(id, signal) {
      const answer = await api.exchange('DELETE', path`/contacts/${id}`, undefined, signal);
      if (answer.status !== 404) shaped(deleted, api.succeeded(answer));
    },
  };
}

async function create(api: JsonApi, email: string, signal: AbortSignal): Promise<void> {
  const answer = await api.exchange('POST', path`/contacts`, offContact(email), signal);
  if (answer.status !== 409) return requireOff(api.succeeded(answer));
  const said = readAs(conflict, answer.body)?.errors.map(({ message }) => message ?? '') ?? [];
  const id = ID_OF_CONFLICT.exec(said.join())?.[1];
  if (id !== undefined) return change(api, id, signal);
  // Not for long, as a rule.
  throw new CrmError('unverified', 'SINK_CRM_UNVERIFIED', 'the contact is there, and not found yet');
}

async function change(api: JsonApi, id: string, signal: AbortSignal): Promise<void> {
  const answer = await api.exchange('PUT', path`/contacts/${id}`, OFF, signal);
  // Gone since it was found.
  if (answer.status !== 404) requireOff(api.succeeded(answer));
}

function requireOff(answer: CrmResponse): void {
  if (shaped(contact, answer).unsubscribed_from_emails === true) return;
  throw new CrmError('unverified', 'SINK_CRM_UNVERIFIED', 'written, the contact still gets mail');
}

/** Flags of a contact who gets no mail. The last two are set by Intercom alone. */
const FLAGS = ['unsubscribed_from_emails', 'has_hard_bounced', 'marked_email_as_spam'] as const;

const flag = z.boolean().nullish();
const suppressedPage = z.object({
  data: z.array(
    z.object({
      id: z.string().optional(),
      email: z.string().nullish(),
      ...{ unsubscribed_from_emails: flag, has_hard_bounced: flag, marked_email_as_spam: flag },
    }),
  ),
  pages: cursor,
});

function suppressedOf(
  api: JsonApi,
  signal: AbortSignal,
  from: string | undefined,
): AsyncGenerator<SuppressedPage> {
  const read = async (after: string | undefined) => {
    const answer = await api.search(path`/contacts/search`, suppressedSearch(after), signal);
    const { data, pages } = shaped(suppressedPage, answer);
    return { items: data, next: pages?.next?.starting_after };
  };
  return pagesOf(
    read,
    (contact) => {
      const reason = FLAGS.filter((name) => contact[name] === true).join();
      if (!contact.email) return undefined;
      if (contact.marked_email_as_spam) return { recipient: contact.email, reason, because: 'complaint' };
      return contact.has_hard_bounced
        ? { recipient: contact.email, reason, because: 'hard_bounce' }
        : { recipient: contact.email, reason };
    },
    from,
  );
}

/** Body of the search for all who get no mail, from a cursor on. */
export const suppressedSearch = (after: string | undefined) => ({
  query: {
    operator: 'OR' as const,
    value: FLAGS.map((field) => ({ field, operator: '=' as const, value: 'true' })),
  },
  pagination: { per_page: 150, ...(after !== undefined && { starting_after: after }) },
});

/** Body of the search for an address, from a cursor on. */
export const addressSearch = (email: string, after: string | undefined) => ({
  query: { field: 'email', operator: '=' as const, value: email },
  pagination: { per_page: 150, ...(after !== undefined && { starting_after: after }) },
});

async function search(api: JsonApi, email: string, signal: AbortSignal, after?: string) {
  return shaped(found, await api.search(path`/contacts/search`, addressSearch(email, after), signal));
}
