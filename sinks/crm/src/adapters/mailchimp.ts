import { createHash } from 'node:crypto';
import type { Suppression } from '@email-events/schemas';
import { z } from 'zod';
import {
  crmAddress,
  crmSecrets,
  defineCrm,
  type EraseResult,
  forAll,
  forEveryReason,
  type PutResult,
  type StateFacts,
} from '../crm.ts';
import { CrmError, errorOfStatus } from '../errors.ts';
import type { CrmResponse } from '../http-client.ts';
import { type ApiPath, JsonApi, path, readAs } from '../json-api.ts';
import { allByOffset } from '../listing.ts';
import { streamsLeft, streamsOption } from '../streams.ts';

// Seen in November 2026: the references of list members, of errors and of limits. That 403 without a problem document is a limit, and the
// names of the two refusals below, are from reports of users.

const suppresses: StateFacts = {
  effect: 'suppresses',
  how: '`unsubscribed` in each audience, unless it is `cleaned`; a member that is not there is made so',
};

export const mailchimp = defineCrm({
  name: 'mailchimp',
  title: 'Mailchimp',
  documentation: [
    'https://mailchimp.com/developer/marketing/api/list-members/add-or-update-list-member/',
    'https://mailchimp.com/developer/marketing/docs/errors/',
  ],
  settings: z.strictObject({
    url: crmAddress(
      'https://dc.api.mailchimp.com',
      'base of the API; `dc` stands for the data center in the key',
    ),
    secrets: crmSecrets({
      description: 'API key, with its data center at the end',
      usable: (text) => /^[A-Za-z0-9]+-[a-z]+\d+$/.test(text),
      expected: 'must be letters and digits, a hyphen and a data center, as us21',
      most: 1,
    }),
    options: z.strictObject({
      audiences: z
        .array(z.string().regex(/^[A-Za-z0-9]+$/, 'must be the id of an audience'))
        .min(1, 'at least one is needed')
        .describe('ids of the audiences (lists) to unsubscribe from; needed'),
      streams: streamsOption(
        z.string().regex(/^[A-Za-z0-9]+(\/[A-Za-z0-9]+)?$/, 'must be AUDIENCE or AUDIENCE/INTEREST'),
        'id of an audience, or `AUDIENCE/INTEREST`',
      ),
      unknown: z
        .enum(['create', 'leave'])
        .default('create')
        .describe(
          'what comes of an address that an audience does not have; unsubscribed members may cost money',
        ),
    }),
  }),
  facts: {
    states: {
      ...forEveryReason(suppresses),
      stream: {
        effect: 'leaves',
        how: 'but those of `options.streams`: unsubscribed in their audiences, taken out of their interests',
      },
      lifted: { effect: 'leaves', how: 'members subscribe again at Mailchimp' },
    },
    keepsReasons: false,
    newerStays: false,
    limits: '10 calls at a time; two or three a recipient and audience',
    capabilities: {
      suppressAll: '`unsubscribed` in each audience',
      suppressStream: 'unsubscribed from an audience, or out of an interest',
      recordFailures: false,
      createContacts: 'made as `unsubscribed`, or left',
      batch: false,
      conditionalWrite: false,
      listSuppressed: false,
      eraseContacts: 'deleted permanently from every audience of the account',
      engagement: false,
    },
    erasing: {
      after: 'blocked',
      how: 'a member that was deleted permanently can be neither imported nor added: it comes back by a sign-up form only',
    },
    scopes: [],
    limitations: ['No reasons.', 'No headers tell how near the limit is, or how long it lasts.'],
  },
  connect({ url, secrets: [key], options }, limits) {
    const secret = key?.reveal() ?? '';
    const base = apiBase(url, secret);
    const headers = { authorization: `Basic ${Buffer.from(`key:${secret}`).toString('base64')}` };
    const concurrency = Math.min(MOST_CONNECTIONS, limits.concurrency);
    const api = new JsonApi({ base, headers, limits: { ...limits, concurrency }, errorOf });
    return {
      name: 'mailchimp',
      async check(signal) {
        await api.send('GET', path`/ping`, undefined, signal);
        for (const audience of options.audiences) await requireAudience(api, 'audiences', audience, signal);
        for (const id of Object.values(options.streams)) {
          const [audience = '', interest] = id.split('/');
          await requireAudience(api, 'streams', audience, signal);
          if (interest !== undefined) await requireInterest(api, audience, interest, signal);
        }
      },
      async put({ suppression }, signal) {
        let result: PutResult = 'unchanged';
        try {
          await forAll(changesFor(suppression, options), async (change) => {
            if (await makeSure(api, change, signal)) result = 'written';
          });
        } catch (error) {
          throw error instanceof BareRefusal ? await explained(api, error, signal) : error;
        }
        return result;
      },
      erase: (recipient, signal) => erase(api, recipient, signal),
      close: () => api.close(),
    };
  },
});

const MOST_CONNECTIONS = 10;

/** The data center is the end of the key. */
export const apiBase = (url: string, key: string): string =>
  `${url.replace('//dc.', `//${key.slice(key.lastIndexOf('-') + 1)}.`)}/3.0`;

interface Options {
  readonly audiences: readonly string[];
  readonly streams: { readonly [scope: string]: string };
  readonly unknown: 'create' | 'leave';
}

/** An address must be unsubscribed from an audience, or, where an interest is named, be without that. */
interface Change {
  readonly email: string;
  readonly audience: string;
  readonly interest: string | undefined;
  /** Whether an address that the audience does not have is to be one of its unsubscribed members. */
  readonly create: boolean;
}

function changesFor(suppression: Suppression, options: Options): Change[] {
  const { recipient: email, suppressed } = suppression;
  const create = options.unknown === 'create';
  if (suppressed)
    return options.audiences.map((audience) => ({ email, audience, interest: undefined, create }));
  return streamsLeft(suppression, options.streams).map((id) => {
    const [audience = '', interest] = id.split('/');
    return { email, audience, interest, create };
  });
}

const member = z.object({
  status: z.string(),
  interests: z.record(z.string(), z.boolean()).nullish(),
});

/** Whether there was something to change. */
async function makeSure(api: JsonApi, change: Change, signal: AbortSignal): Promise<boolean> {
  if (!(await lacks(api, change, signal))) return false;
  const { email, interest } = change;
  const at = memberPath(change);
  const answer =
    interest === undefined
      ? await api.exchange('PUT', `${at}?skip_merge_validation=true` as ApiPath, unsubscribed(email), signal)
      : await api.exchange('PATCH', at, { interests: { [interest]: false } }, signal);
  if (refusedAsDone(answer)) return false;
  api.succeeded(answer);
  if (!(await lacks(api, change, signal))) return true;
  throw new CrmError('unverified', 'SINK_CRM_UNVERIFIED', 'read back, the member has another state');
}

/** The only statuses that are ever written. */
const unsubscribed = (email: string) => ({
  email_address: email,
  status: 'unsubscribed',
  status_if_new: 'unsubscribed',
});

async function lacks(api: JsonApi, change: Change, signal: AbortSignal): Promise<boolean> {
  const found = await api.find(member, memberPath(change), signal);
  if (change.interest !== undefined) return found?.interests?.[change.interest] === true;
  // An archived member gets no mail, and is subscribed by whatever brings it back.
  if (found === undefined || found.status === 'archived') return change.create;
  return found.status !== 'unsubscribed' && found.status !== 'cleaned';
}

/** A member is addressed by a hash of its address. */
function memberPath({ audience, email }: Pick<Change, 'audience' | 'email'>): ApiPath {
  return path`/lists/${audience}/members/${createHash('md5').update(email.toLowerCase()).digest('hex')}`;
}

const audiences = z.object({ lists: z.array(z.object({ id: z.string().min(1) })) });
const LISTS = { size: 1_000, mostPages: 100 };

/** Also from audiences that are not configured: whoever is to be forgotten is so by the account. */
async function erase(api: JsonApi, email: string, signal: AbortSignal): Promise<EraseResult> {
  let result: EraseResult = 'absent';
  const lists = await allByOffset(LISTS, async (offset) => {
    const at = path`/lists?fields=lists.id&count=${LISTS.size}&offset=${offset}`;
    return (await api.read(audiences, at, signal)).lists;
  });
  await forAll(lists, async ({ id: audience }) => {
    const member = `${memberPath({ audience, email })}/actions/delete-permanent` as ApiPath;
    const answer = await api.exchange('POST', member, undefined, signal);
    if (answer.status === 404) return;
    api.succeeded(answer);
    result = 'erased';
  });
  return result;
}

/** An error as Mailchimp documents it (RFC 7807). Its limits and its firewall answer without one. */
const problem = z.object({ title: z.string(), status: z.int() });

/** Refusals that mean that no mail goes there: the member left, or was erased, and may only come back by itself. */
const DONE = new Set(['Member In Compliance State', 'Forgotten Email Not Subscribed']);

function refusedAsDone({ status, body }: CrmResponse): boolean {
  return status === 400 && DONE.has(readAs(problem, body)?.title ?? '');
}

/** Nothing says how long a limit lasts. */
const LIMIT_MS = 5_000;

/** A 403 without a problem document: too many calls, or a firewall in front that dislikes what is in this one. */
class BareRefusal extends CrmError {}

function errorOf({ status, headers, body }: CrmResponse): CrmError | undefined {
  const options = { afterMs: LIMIT_MS };
  if (status === 403 && readAs(problem, body) === undefined)
    return new BareRefusal('throttled', 'SINK_CRM_THROTTLED', 'the CRM answered 403, and not why', options);
  if (status !== 429 || headers['retry-after'] !== undefined) return undefined;
  return new CrmError('throttled', 'SINK_CRM_THROTTLED', 'the CRM answered 429', options);
}

/** It is the call and no limit if one that holds nothing is taken right after it: nobody else has to wait then. */
async function explained(api: JsonApi, error: BareRefusal, signal: AbortSignal): Promise<Error> {
  const { status } = await api.exchange('GET', path`/ping`, undefined, signal);
  return status === 200 ? (errorOfStatus(403, undefined) ?? error) : error;
}

async function requireAudience(api: JsonApi, option: string, audience: string, signal: AbortSignal) {
  if (await api.find(z.object({}), path`/lists/${audience}?fields=id`, signal)) return;
  throw misconfigured(`options.${option}: the account has no audience ${audience}`);
}

const categories = z.object({ categories: z.array(z.object({ id: z.string() })) });
const interests = z.object({ interests: z.array(z.object({ id: z.string() })) });

async function requireInterest(api: JsonApi, audience: string, interest: string, signal: AbortSignal) {
  const at = path`/lists/${audience}/interest-categories?count=1000`;
  for (const { id } of (await api.read(categories, at, signal)).categories) {
    const of = path`/lists/${audience}/interest-categories/${id}/interests?count=1000`;
    const found = await api.read(interests, of, signal);
    if (found.interests.some((other) => other.id === interest)) return;
  }
  throw misconfigured(`options.streams: the audience ${audience} has no interest ${interest}`);
}

const misconfigured = (message: string) => new CrmError('misconfigured', 'SINK_CRM_MISCONFIGURED', message);
