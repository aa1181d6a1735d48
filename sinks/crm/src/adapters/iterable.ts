import { z } from 'zod';
import {
  apiToken,
  type ContactAccess,
  crmAddress,
  defineCrm,
  forEveryReason,
  type StateFacts,
} from '../crm.ts';
import { type ErasableContacts, eraseAll, isSame } from '../erasing.ts';
import { CrmError } from '../errors.ts';
import type { CrmResponse } from '../http-client.ts';
import { readPatchSettle } from '../jobs.ts';
import { type ApiPath, JsonApi, path, readAs, shaped } from '../json-api.ts';
import { streamsLeft, streamsOption } from '../streams.ts';
import { closeTogether } from '../turns.ts';

// Seen in November 2026: overview of the API with its payloads, and its Swagger description.

const suppresses: StateFacts = {
  effect: 'suppresses',
  how: 'unsubscribed from every e-mail channel of the project; no user is made of an unknown address',
};

export const iterable = defineCrm({
  name: 'iterable',
  title: 'Iterable',
  documentation: [
    'https://support.iterable.com/hc/en-us/articles/204780579-API-Overview-and-Sample-Payloads',
    'https://api.iterable.com/api/docs',
  ],
  settings: z.strictObject({
    url: crmAddress('https://api.iterable.com', 'base of the API; in the EU https://api.eu.iterable.com'),
    secrets: apiToken('server-side API key of the project'),
    options: z.strictObject({ streams: streamsOption(z.int().positive(), 'id of a message type') }),
  }),
  facts: {
    states: {
      ...forEveryReason(suppresses),
      stream: {
        effect: 'leaves',
        how: 'but those of `options.streams`: unsubscribed from their message types',
      },
      lifted: { effect: 'leaves', how: 'a channel does not say who left it' },
    },
    keepsReasons: false,
    newerStays: false,
    limits: 'by endpoint and key; of changes and look-ups of users, hundreds a second',
    capabilities: {
      suppressAll: 'unsubscribed from all e-mail channels',
      suppressStream: 'unsubscribed from a message type',
      recordFailures: false,
      createContacts: false,
      batch: false,
      conditionalWrite: false,
      listSuppressed: false,
      eraseContacts: 'forgotten (GDPR)',
      engagement: false,
    },
    erasing: {
      after: 'blocked',
      how: 'Iterable keeps a hash of the address, and takes no data of it until it is unforgotten; it may take its time',
    },
    scopes: [],
    limitations: [
      'No reasons.',
      'Who becomes a user later is not unsubscribed by it.',
      'A change replaces the list of channels: it is written right after it was read, and a choice about another in these milliseconds is lost.',
    ],
  },
  connect({ url, secrets: [key], options }, limits) {
    const headers = { 'api-key': key?.reveal() ?? '' };
    const api = new JsonApi({ base: url, headers, limits, errorOf });
    const channels = new EmailChannels(api, limits.now);
    const users: ContactAccess<Lists> = {
      ...usersOf(api, channels, options.streams),
      near: (readAndWrite, signal) => closeTogether(limits.pace, 2, readAndWrite, signal),
    };
    return {
      name: 'iterable',
      async check(signal) {
        await channels.read(signal);
        const wanted = Object.values(options.streams);
        if (wanted.length === 0) return;
        const { messageTypes: known } = await api.read(messageTypes, path`/api/messageTypes`, signal);
        const missing = wanted.find((id) => !known.some((type) => type.id === id));
        if (missing === undefined) return;
        const message = `options.streams: the project has no message type ${missing}`;
        throw new CrmError('misconfigured', 'SINK_CRM_MISCONFIGURED', message);
      },
      async put(state, signal) {
        const { suppression } = state;
        // Before the two calls that are to be close together, if they are due to be read again.
        if (suppression.suppressed) await channels.read(signal);
        else if (streamsLeft(suppression, options.streams).length === 0) return 'unchanged';
        return readPatchSettle(users, state, signal);
      },
      erase: (recipient, signal) => eraseAll(erasable(api, recipient), signal),
      close: () => api.close(),
    };
  },
});

const ids = z.array(z.coerce.number()).nullish();
const subscriptions = z.object({ unsubscribedChannelIds: ids, unsubscribedMessageTypeIds: ids });
/** Nothing else means that there is no user: an answer of something in between would count a complaint as done. */
const users = z.union([
  z.object({ user: z.object({ email: z.string().nullish(), dataFields: subscriptions.nullish() }) }),
  z.strictObject({ user: z.null().optional() }),
]);
const outcome = z.object({ code: z.string() });
const channelList = z.object({
  channels: z.array(z.object({ id: z.number(), messageMedium: z.unknown() })),
});
const messageTypes = z.object({ messageTypes: z.array(z.object({ id: z.number() })) });

/** Codes that mean that nothing in the project has the address. */
const UNKNOWN = new Set(['UnknownEmailError', 'UnknownUserIdError', 'UserNotFound', 'EmailNotFound']);

/** A key that it does not know is 401, and 400 with a code at some endpoints. */
function errorOf({ status, body }: CrmResponse): CrmError | undefined {
  if (status !== 400 || !/^(BadApiKey|InvalidApiKey)$/.test(readAs(outcome, body)?.code ?? ''))
    return undefined;
  return new CrmError('misconfigured', 'SINK_CRM_UNAUTHORIZED', 'the CRM does not know the API key');
}

/** A list that is to be written is written as a whole. */
interface Lists {
  readonly email: string;
  readonly unsubscribedChannelIds?: readonly number[];
  readonly unsubscribedMessageTypeIds?: readonly number[];
}

/**
 * Lists are replaced by what is written, so the one that is to change is read, and written with what it had. Nothing else is written: a list
 * that is left out stays as it is, and so does what the user is subscribed to.
 */
function usersOf(
  api: JsonApi,
  channels: EmailChannels,
  streams: { readonly [scope: string]: number },
): ContactAccess<Lists> {
  return {
    async difference({ suppression }, signal) {
      const { recipient: email, suppressed } = suppression;
      const wanted = suppressed ? await channels.read(signal) : streamsLeft(suppression, streams);
      if (wanted.length === 0) return undefined;
      const user = await userOf(api, email, signal);
      if (!user) return undefined;
      const off = (suppressed ? user.unsubscribedChannelIds : user.unsubscribedMessageTypeIds) ?? [];
      if (wanted.every((id) => off.includes(id))) return undefined;
      const all = [...new Set([...off, ...wanted])];
      return {
        email,
        ...(suppressed ? { unsubscribedChannelIds: all } : { unsubscribedMessageTypeIds: all }),
      };
    },
    apply: (lists, signal) => change(api, path`/api/users/updateSubscriptions`, lists, signal),
  };
}

/** A user who is gone since it was read has nothing to be changed. */
async function change(api: JsonApi, at: ApiPath, body: object, signal: AbortSignal): Promise<void> {
  const answer = await api.exchange('POST', at, body, signal);
  if (UNKNOWN.has(readAs(outcome, answer.body)?.code ?? '')) return;
  const { code } = shaped(outcome, api.succeeded(answer));
  if (code !== 'Success')
    throw new CrmError('rejected', 'SINK_CRM_REJECTED', 'the CRM took the call, and not the change');
}

/** Not by a deletion, after which the next import would make the user anew. */
function erasable(api: JsonApi, recipient: string): ErasableContacts {
  return {
    async find(signal) {
      const user = await userOf(api, recipient, signal);
      return isSame(user?.email, recipient) ? [recipient] : [];
    },
    remove: (email, signal) => change(api, path`/api/users/forget`, { email }, signal),
  };
}

/** Undefined: no user has the address. It is answered with an empty object, or with an error of its own. */
async function userOf(
  api: JsonApi,
  email: string,
  signal: AbortSignal,
): Promise<({ email?: string | null | undefined } & z.output<typeof subscriptions>) | undefined> {
  const answer = await api.exchange('GET', path`/api/users/getByEmail?email=${email}`, undefined, signal);
  if (answer.status === 404 || UNKNOWN.has(readAs(outcome, answer.body)?.code ?? '')) return undefined;
  const { user } = shaped(users, api.succeeded(answer));
  return user ? { ...user.dataFields, email: user.email } : undefined;
}

const FRESH_MS = 300_000;

/** Ids of the project's e-mail channels, read again every few minutes: one may be added. */
class EmailChannels {
  private readonly api: JsonApi;
  private readonly now: () => number;
  private known: { readonly ids: readonly number[]; readonly until: number } | undefined;

  constructor(api: JsonApi, now: () => number) {
    this.api = api;
    this.now = now;
  }

  /** Throws CrmError if the project has none: to be off all of none would suppress nobody. */
  async read(signal: AbortSignal): Promise<readonly number[]> {
    if (this.known && this.known.until > this.now()) return this.known.ids;
    const { channels } = await this.api.read(channelList, path`/api/channels`, signal);
    const found = channels.filter(({ messageMedium }) => isEmail(messageMedium)).map(({ id }) => id);
    if (found.length === 0)
      throw new CrmError('misconfigured', 'SINK_CRM_MISCONFIGURED', 'the project has no e-mail channel');
    this.known = { ids: found, until: this.now() + FRESH_MS };
    return found;
  }
}

/** It is a text; where it is an object, its only key is the medium. */
const isEmail = (medium: unknown): boolean =>
  (typeof medium === 'string' ? [medium] : Object.keys(Object(medium))).some((name) => /^email$/i.test(name));
