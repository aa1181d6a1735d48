import { z } from 'zod';
import {
  apiToken,
  type ContactAccess,
  crmAddress,
  defineCrm,
  forAll,
  forEveryReason,
  readPatchVerify,
  type StateFacts,
} from '../crm.ts';
import { type ErasableContacts, eraseAll } from '../erasing.ts';
import { CrmError } from '../errors.ts';
import { JsonApi, path } from '../json-api.ts';
import { allByOffset } from '../listing.ts';
import { streamsLeft, streamsOption } from '../streams.ts';

// Seen in November 2026: reference of API v3 (contacts, contact lists, lists), and its page about limits.

const suppresses: StateFacts = {
  effect: 'suppresses',
  how: 'status 2 (unsubscribed) on every list the contact is on; no contact is made of an unknown address',
};

export const activecampaign = defineCrm({
  name: 'activecampaign',
  title: 'ActiveCampaign',
  documentation: [
    'https://developers.activecampaign.com/reference/update-list-status-for-contact',
    'https://developers.activecampaign.com/reference/list-all-contacts',
    'https://developers.activecampaign.com/reference/rate-limits',
  ],
  settings: z.strictObject({
    url: crmAddress(
      'https://account.api-us1.com',
      'the account’s API URL, from its settings under Developer',
    ),
    secrets: apiToken('API key of a user who may edit contacts'),
    options: z.strictObject({ streams: streamsOption(z.int().positive(), 'id of a list') }),
  }),
  facts: {
    states: {
      ...forEveryReason(suppresses),
      stream: { effect: 'leaves', how: 'but those of `options.streams`: unsubscribed from their lists' },
      lifted: { effect: 'leaves', how: 'status 1 would subscribe also who left by themselves' },
    },
    keepsReasons: false,
    newerStays: false,
    limits: '5 calls a second an account, over all of its API keys',
    account: 'address',
    pace: { windows: [{ calls: 5, perMs: 1_000 }] },
    capabilities: {
      suppressAll: 'unsubscribed from every list',
      suppressStream: 'unsubscribed from a list',
      recordFailures: false,
      createContacts: false,
      batch: false,
      conditionalWrite: false,
      listSuppressed: false,
      eraseContacts: 'contact deleted',
      engagement: false,
    },
    erasing: { after: 'mailable', how: 'what lists it left goes with the contact' },
    scopes: [],
    limitations: [
      'No reasons: bounces can be read there, not written.',
      'A list that a contact joins later is not left by it.',
      'Four calls and one a list for each recipient.',
    ],
  },
  connect({ url, secrets: [key], options }, limits) {
    const api = new JsonApi({
      base: `${url.replace(/\/+$/, '')}/api/3`,
      headers: { 'api-token': key?.reveal() ?? '' },
      limits,
    });
    const contacts = contactsOf(api, options.streams);
    return {
      name: 'activecampaign',
      async check(signal) {
        await api.send('GET', path`/lists?limit=1`, undefined, signal);
        for (const id of Object.values(options.streams)) {
          if (await api.find(z.unknown(), path`/lists/${id}`, signal)) continue;
          const message = `options.streams: the account has no list ${id}`;
          throw new CrmError('misconfigured', 'SINK_CRM_MISCONFIGURED', message);
        }
      },
      put: (state, signal) => readPatchVerify(contacts, state, signal),
      erase: (recipient, signal) => eraseAll(erasable(api, recipient), signal),
      close: () => api.close(),
    };
  },
});

/** Ids come as texts. */
const id = z.coerce.number().int().positive();
const found = z.object({ contacts: z.array(z.object({ id, email: z.string() })) });
const memberships = z.object({ contactLists: z.array(z.object({ list: id, status: z.coerce.string() })) });

/** A list that a contact is on. */
interface Membership {
  readonly contact: number;
  readonly list: number;
}

/** Of a list: 0 unconfirmed, 1 active, 2 unsubscribed, 3 bounced. The last two get no mail. */
const OFF = new Set(['2', '3']);
const PAGE = 100;
/** As many lists as a contact may be on, and more. */
const PAGES = { size: PAGE, mostPages: 100 };

function contactsOf(
  api: JsonApi,
  streams: { readonly [scope: string]: number },
): ContactAccess<readonly Membership[]> {
  return {
    async difference({ suppression }, signal) {
      const { recipient, suppressed } = suppression;
      const left = new Set(streamsLeft(suppression, streams));
      if (!suppressed && left.size === 0) return undefined;
      const on: Membership[] = [];
      for (const contact of await idsOf(api, recipient, signal))
        for (const list of await listsOf(api, contact, signal))
          if (suppressed || left.has(list)) on.push({ contact, list });
      return on.length > 0 ? on : undefined;
    },
    async apply(on, signal) {
      await forAll(on, async ({ contact, list }) => {
        const contactList = { list, contact, status: 2 };
        await api.send('POST', path`/contactLists`, { contactList }, signal);
      });
    },
  };
}

/** The filter may take a part of an address, which the page does not rule out: others may fill a page, and more. */
async function idsOf(api: JsonApi, email: string, signal: AbortSignal): Promise<number[]> {
  const contacts = await allByOffset(PAGES, async (offset) => {
    const at = path`/contacts?email=${email}&limit=${PAGE}&offset=${offset}`;
    return (await api.read(found, at, signal)).contacts;
  });
  return contacts
    .filter((contact) => contact.email.toLowerCase() === email.toLowerCase())
    .map((contact) => contact.id);
}

function erasable(api: JsonApi, recipient: string): ErasableContacts {
  return {
    find: async (signal) => (await idsOf(api, recipient, signal)).map(String),
    remove: (contact, signal) => api.remove(path`/contacts/${contact}`, signal),
  };
}

/** Lists whose mail the contact gets. A contact who is gone is on none. */
async function listsOf(api: JsonApi, contact: number, signal: AbortSignal): Promise<number[]> {
  const on = await allByOffset(PAGES, async (offset) => {
    const at = path`/contacts/${contact}/contactLists?limit=${PAGE}&offset=${offset}`;
    return (await api.find(memberships, at, signal))?.contactLists ?? [];
  });
  return on.filter(({ status }) => !OFF.has(status)).map(({ list }) => list);
}
