import { z } from 'zod';
import {
  type ContactAccess,
  crmAddress,
  crmSecrets,
  defineCrm,
  forEveryReason,
  readPatchVerify,
  type StateFacts,
  type SuppressedPage,
} from '../crm.ts';
import { type ErasableContacts, eraseAll, isSame } from '../erasing.ts';
import { CrmError } from '../errors.ts';
import { JsonApi, path } from '../json-api.ts';
import { pagesOf } from '../listing.ts';
import { streamsLeft, streamsOption } from '../streams.ts';

// Seen in November 2026: the API's page on subscribers, and what listmonk 6 does with a query and with a blocklisting.

const suppresses: StateFacts = {
  effect: 'suppresses',
  how: '`blocklisted`, which ends all subscriptions; a subscriber that is not there is made so, in no list',
};

export const listmonk = defineCrm({
  name: 'listmonk',
  title: 'listmonk',
  documentation: ['https://listmonk.app/docs/apis/subscribers/'],
  settings: z.strictObject({
    url: crmAddress('http://127.0.0.1:9000', 'where listmonk is'),
    secrets: crmSecrets({
      description:
        '`USER:TOKEN` of an API user with subscribers:get_all, subscribers:manage and subscribers:sql_query',
      usable: (text) => /^[\x21-\x39\x3b-\x7e]+:[\x21-\x7e]+$/.test(text),
      expected: 'must be a user, a colon and a token',
      most: 1,
    }),
    options: z.strictObject({ streams: streamsOption(z.int().positive(), 'id of a list') }),
  }),
  facts: {
    states: {
      ...forEveryReason(suppresses),
      stream: { effect: 'leaves', how: 'but those of `options.streams`: unsubscribed from their lists' },
      lifted: { effect: 'leaves', how: 'nothing tells whether the subscriber was blocklisted by us alone' },
    },
    keepsReasons: false,
    newerStays: false,
    limits: 'none; two or three calls a recipient',
    account: 'address',
    capabilities: {
      suppressAll: '`blocklisted`',
      suppressStream: 'unsubscribed from a list',
      recordFailures: false,
      createContacts: 'made as `blocklisted`',
      batch: false,
      conditionalWrite: false,
      listSuppressed: 'subscribers that are `blocklisted`',
      eraseContacts: 'subscriber deleted',
      engagement: false,
    },
    erasing: { after: 'mailable', how: 'the block is the subscriber’s own status, and goes with it' },
    scopes: ['subscribers:get_all', 'subscribers:manage', 'subscribers:sql_query'],
    limitations: [
      'No reasons.',
      'Subscribers are found by an SQL expression, for which the user needs a permission.',
    ],
  },
  connect({ url, secrets: [login], options: { streams } }, limits) {
    const encoded = Buffer.from(login?.reveal() ?? '').toString('base64');
    const headers = { authorization: `Basic ${encoded}` };
    const api = new JsonApi({ base: `${url}/api`, headers, limits });
    const contacts = subscribersOf(api, streams);
    return {
      name: 'listmonk',
      async check(signal) {
        // Needs what every look-up needs, and finds nobody.
        await find(api, '', signal);
        for (const list of Object.values(streams)) await requireList(api, list, signal);
      },
      put: (state, signal) => readPatchVerify(contacts, state, signal),
      suppressed: (signal, after) => blocklisted(api, signal, after),
      erase: (recipient, signal) => eraseAll(erasable(api, recipient), signal),
      close: () => api.close(),
    };
  },
});

const subscriber = z.object({
  id: z.int(),
  email: z.string().optional(),
  status: z.string(),
  lists: z.array(z.object({ id: z.int(), subscription_status: z.string() })).nullish(),
});

const subscribers = z.object({ data: z.object({ results: z.array(subscriber) }) });

/**
 * A look-up is an SQL expression, so the address is in it as hexadecimal digits: whatever it holds, none of it is read as SQL, or as
 * what listmonk replaces in its own statement. Addresses have an index by their lower-case form.
 */
async function find(api: JsonApi, email: string, signal: AbortSignal) {
  const hex = Buffer.from(email).toString('hex');
  const query = `LOWER(subscribers.email) = convert_from(decode('${hex}', 'hex'), 'UTF8')`;
  const at = path`/subscribers?page=1&per_page=1&query=${query}`;
  const { data } = await api.read(subscribers, at, signal);
  return data.results[0];
}

function erasable(api: JsonApi, recipient: string): ErasableContacts {
  return {
    async find(signal) {
      const found = await find(api, recipient, signal);
      return found && isSame(found.email, recipient) ? [String(found.id)] : [];
    },
    remove: (id, signal) => api.remove(path`/subscribers/${id}`, signal),
  };
}

const PAGE = 200;

const page = z.object({ data: z.object({ results: z.array(z.object({ id: z.int(), email: z.string() })) }) });

/** From the newest to the oldest, which is listmonk's own order; so none is passed over when one goes. */
function blocklisted(
  api: JsonApi,
  signal: AbortSignal,
  after: string | undefined,
): AsyncGenerator<SuppressedPage> {
  const read = async (before = String(2 ** 31 - 1)) => {
    const query = `subscribers.status = 'blocklisted' AND subscribers.id < ${Number(before)}`;
    const at = path`/subscribers?page=1&per_page=${PAGE}&query=${query}`;
    const { results: items } = (await api.read(page, at, signal)).data;
    const last = Math.min(...items.map(({ id }) => id));
    return { items, next: items.length < PAGE ? undefined : String(last) };
  };
  return pagesOf(read, ({ email }) => ({ recipient: email }), after);
}

interface Patch {
  readonly email: string;
  /** Undefined: there is no such subscriber. */
  readonly id: number | undefined;
  /** Lists to be unsubscribed from; undefined: it is to be blocklisted. */
  readonly lists: readonly number[] | undefined;
}

/** Never writes a subscriber as a whole: that would drop its lists, or subscribe it to them. */
function subscribersOf(api: JsonApi, streams: { readonly [scope: string]: number }): ContactAccess<Patch> {
  return {
    async difference({ suppression }, signal) {
      const { recipient: email, suppressed } = suppression;
      const left = new Set(streamsLeft(suppression, streams));
      if (!suppressed && left.size === 0) return undefined;
      const found = await find(api, email, signal);
      const id = found?.id;
      if (suppressed) return found?.status === 'blocklisted' ? undefined : { email, id, lists: undefined };
      const lists = (found?.lists ?? [])
        .filter((list) => left.has(list.id) && list.subscription_status !== 'unsubscribed')
        .map((list) => list.id);
      return lists.length > 0 ? { email, id, lists } : undefined;
    },
    async apply({ email, id, lists }, signal) {
      if (id === undefined) {
        const name = email.slice(0, Math.max(1, email.lastIndexOf('@')));
        const body = { email, name, status: 'blocklisted', lists: [] };
        await api.send('POST', path`/subscribers`, body, signal);
      } else if (lists === undefined)
        await api.send('PUT', path`/subscribers/blocklist`, { ids: [id] }, signal);
      else {
        const body = { ids: [id], action: 'unsubscribe', target_list_ids: lists };
        await api.send('PUT', path`/subscribers/lists`, body, signal);
      }
    },
  };
}

/** A list that does not exist is a bad request to listmonk. */
async function requireList(api: JsonApi, list: number, signal: AbortSignal): Promise<void> {
  const answer = await api.exchange('GET', path`/lists/${list}`, undefined, signal);
  if (answer.status === 400 || answer.status === 404) {
    const message = `options.streams: there is no list ${list}`;
    throw new CrmError('misconfigured', 'SINK_CRM_MISCONFIGURED', message);
  }
  api.succeeded(answer);
}
