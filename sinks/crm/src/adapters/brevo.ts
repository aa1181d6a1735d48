import { z } from 'zod';
import {
  apiToken,
  type ContactAccess,
  crmAddress,
  defineCrm,
  forEveryReason,
  readPatchVerify,
  type StateFacts,
  type SuppressedPage,
} from '../crm.ts';
import { type ErasableContacts, eraseAll, isSame } from '../erasing.ts';
import { CrmError } from '../errors.ts';
import type { CrmResponse } from '../http-client.ts';
import { headerOf, JsonApi, path } from '../json-api.ts';
import { pagesByOffset } from '../listing.ts';
import { streamsLeft, streamsOption } from '../streams.ts';

// Seen in November 2026: the reference of contacts, rate limits and their headers.

const suppresses: StateFacts = {
  effect: 'suppresses',
  how: '`emailBlacklisted: true`; a contact that is not there is made so, in no list',
};

export const brevo = defineCrm({
  name: 'brevo',
  title: 'Brevo',
  documentation: [
    'https://developers.brevo.com/reference/update-contact',
    'https://developers.brevo.com/docs/limit-headers',
  ],
  settings: z.strictObject({
    url: crmAddress('https://api.brevo.com', 'base of the API'),
    secrets: apiToken('API key'),
    options: z.strictObject({ streams: streamsOption(z.int().positive(), 'id of a list') }),
  }),
  facts: {
    states: {
      ...forEveryReason(suppresses),
      stream: { effect: 'leaves', how: 'but those of `options.streams`: the contact leaves their lists' },
      lifted: { effect: 'leaves', how: 'nothing tells whether the contact was opted out by us alone' },
    },
    keepsReasons: false,
    newerStays: false,
    limits: '10 calls a second and 36,000 an hour, more in higher plans; two or three a recipient',
    capabilities: {
      suppressAll: '`emailBlacklisted`',
      suppressStream: 'out of a list',
      recordFailures: false,
      createContacts: 'made as blocklisted',
      batch: false,
      conditionalWrite: false,
      listSuppressed: 'all contacts, those that are blocklisted',
      eraseContacts: 'contact deleted',
      engagement: false,
    },
    erasing: {
      after: 'mailable',
      how: 'the block list forgets the address with the contact; transactional mail has logs and a block list of its own',
    },
    scopes: [],
    pace: {
      windows: [
        { calls: 10, perMs: 1_000 },
        { calls: 36_000, perMs: 3_600_000 },
      ],
      headers: {
        remaining: 'x-sib-ratelimit-remaining',
        reset: 'x-sib-ratelimit-reset',
        retryAfter: 'x-sib-ratelimit-reset',
      },
    },
    limitations: [
      'No reasons.',
      'Campaigns only: transactional mail of Brevo has a block list of its own.',
      'Changing the address of a blocklisted contact at Brevo subscribes it again.',
    ],
  },
  connect({ url, secrets: [key], options: { streams } }, limits) {
    const headers = { 'api-key': key?.reveal() ?? '' };
    const api = new JsonApi({ base: `${url}/v3`, headers, limits, errorOf });
    const contacts = contactsOf(api, streams);
    return {
      name: 'brevo',
      async check(signal) {
        await api.send('GET', path`/account`, undefined, signal);
        for (const list of Object.values(streams)) {
          if (await api.find(z.object({}), path`/contacts/lists/${list}`, signal)) continue;
          const message = `options.streams: the account has no list ${list}`;
          throw new CrmError('misconfigured', 'SINK_CRM_MISCONFIGURED', message);
        }
      },
      put: (state, signal) => readPatchVerify(contacts, state, signal),
      suppressed: (signal, after) => blocklisted(api, signal, after),
      erase: (recipient, signal) => eraseAll(erasable(api, recipient), signal),
      close: () => api.close(),
    };
  },
});

const contact = z.object({ emailBlacklisted: z.boolean(), listIds: z.array(z.int()).nullish() });

interface Patch {
  readonly email: string;
  readonly known: boolean;
  readonly change: ContactChange;
}

/** Body of a change. */
export type ContactChange =
  | { readonly emailBlacklisted: true }
  | { readonly unlinkListIds: readonly number[] };

/** Body of a new contact, which is in no list. One that is there already is left as it is. */
export const blocklistedContact = (email: string) => ({
  email,
  updateEnabled: false,
  emailBlacklisted: true as const,
});

const at = (email: string) => path`/contacts/${email}?identifierType=email_id`;

const addressed = z.object({ email: z.string() });

function erasable(api: JsonApi, recipient: string): ErasableContacts {
  return {
    async find(signal) {
      const found = await api.find(addressed, at(recipient), signal);
      return isSame(found?.email, recipient) ? [recipient] : [];
    },
    remove: (email, signal) => api.remove(at(email), signal),
  };
}

/** Contacts by their address, which is never changed: that would subscribe one that is blocklisted. */
function contactsOf(api: JsonApi, streams: { readonly [scope: string]: number }): ContactAccess<Patch> {
  return {
    async difference({ suppression }, signal) {
      const { recipient: email, suppressed } = suppression;
      const left = new Set(streamsLeft(suppression, streams));
      if (!suppressed && left.size === 0) return undefined;
      const found = await api.find(contact, at(email), signal);
      const known = found !== undefined;
      if (suppressed)
        return found?.emailBlacklisted ? undefined : { email, known, change: { emailBlacklisted: true } };
      const unlinkListIds = found?.listIds?.filter((list) => left.has(list)) ?? [];
      return unlinkListIds.length > 0 ? { email, known, change: { unlinkListIds } } : undefined;
    },
    async apply({ email, known, change }, signal) {
      if (known) await api.send('PUT', at(email), change, signal);
      else await api.send('POST', path`/contacts`, blocklistedContact(email), signal);
    },
  };
}

/** Contacts may be large, and an answer may not. */
const PAGE = 200;

const page = z.object({
  contacts: z.array(
    z.object({ id: z.int().optional(), email: z.string().nullish(), emailBlacklisted: z.boolean() }),
  ),
});

/** No filter is documented, so that all are read. */
function blocklisted(
  api: JsonApi,
  signal: AbortSignal,
  after: string | undefined,
): AsyncGenerator<SuppressedPage> {
  const read = async (offset: number) => {
    const at = path`/contacts?limit=${PAGE}&offset=${offset}&sort=asc`;
    return (await api.read(page, at, signal)).contacts;
  };
  return pagesByOffset(
    PAGE,
    read,
    ({ email, emailBlacklisted }) => (email && emailBlacklisted ? { recipient: email } : undefined),
    after,
  );
}

const LONGEST_MS = 3_600_000;

/** There is no Retry-After; how long the limit lasts is in a header, in seconds. */
function errorOf(answer: CrmResponse): CrmError | undefined {
  const reset = headerOf(answer, 'x-sib-ratelimit-reset');
  if (answer.status !== 429 || !/^\d+(\.\d+)?$/.test(reset ?? '')) return undefined;
  const afterMs = Math.min(LONGEST_MS, Math.ceil(Number(reset) * 1_000));
  return new CrmError('throttled', 'SINK_CRM_THROTTLED', 'the CRM answered 429', { afterMs });
}
