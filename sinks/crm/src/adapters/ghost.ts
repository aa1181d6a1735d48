import { createHmac } from 'node:crypto';
import { domainToUnicode } from 'node:url';
import { recipientKey } from '@email-events/schemas';
import { z } from 'zod';
import {
  type ContactAccess,
  crmAddress,
  crmSecrets,
  defineCrm,
  forAll,
  forEveryReason,
  readPatchVerify,
  type StateFacts,
  type SuppressedPage,
} from '../crm.ts';
import { type ErasableContacts, eraseAll, isSame } from '../erasing.ts';
import { CrmError } from '../errors.ts';
import type { CrmResponse } from '../http-client.ts';
import { JsonApi, path, readAs } from '../json-api.ts';
import { pagesOf } from '../listing.ts';
import { streamsLeft, streamsOption } from '../streams.ts';
import { closeTogether } from '../turns.ts';

// Seen in November 2026: the Admin API's pages on members, newsletters and tokens, and the grammar of its filters. What is said here of its answers
// was seen of Ghost 6.65 itself (test/crm/ghost.server.test.ts).

const suppresses: StateFacts = {
  effect: 'suppresses',
  how: 'the member has no newsletter any more; a member that is not there is made so',
};

export const ghost = defineCrm({
  name: 'ghost',
  title: 'Ghost',
  documentation: [
    'https://docs.ghost.org/admin-api/members/overview',
    'https://docs.ghost.org/admin-api/newsletters',
  ],
  settings: z.strictObject({
    url: crmAddress('http://127.0.0.1:2368', 'where the site’s admin is'),
    secrets: crmSecrets({
      description: 'Admin API key of a custom integration, `ID:SECRET`',
      usable: (text) => /^[0-9a-f]{24}:[0-9a-f]{64}$/.test(text),
      expected: 'must be 24 hexadecimal digits, a colon and 64 more',
      most: 1,
    }),
    options: z.strictObject({
      streams: streamsOption(
        z.string().regex(/^[0-9a-f]{24}$/, 'must be 24 hexadecimal digits'),
        'id of a newsletter',
      ),
      unknown: z
        .enum(['create', 'leave'])
        .default('create')
        .describe('what comes of an address that is no member; members may cost money'),
    }),
  }),
  facts: {
    states: {
      ...forEveryReason(suppresses),
      stream: { effect: 'leaves', how: 'but those of `options.streams`: the member loses their newsletters' },
      lifted: { effect: 'leaves', how: 'members choose their newsletters at Ghost' },
    },
    keepsReasons: false,
    newerStays: false,
    limits: 'none; two or three calls a recipient',
    account: 'address',
    capabilities: {
      suppressAll: 'no newsletters',
      suppressStream: 'without a newsletter',
      recordFailures: false,
      createContacts: 'made without newsletters, or left',
      batch: false,
      conditionalWrite: false,
      listSuppressed: 'members without newsletters',
      eraseContacts: 'member deleted',
      engagement: false,
    },
    erasing: {
      after: 'mailable',
      how: 'newsletters are the member’s own choice; a paid subscription is not cancelled at its provider',
    },
    scopes: [],
    limitations: [
      'No reasons.',
      'Newsletters are written as a whole: with `options.streams`, one that a member leaves in the milliseconds between a read and the write right after it comes back.',
      'A newsletter that is archived cannot be taken from anybody. Whoever had it has it again once it is made active: `crm reconcile` takes it then.',
    ],
  },
  connect({ url, secrets: [key], options }, limits) {
    const headers = () => ({
      authorization: `Ghost ${tokenOf(key?.reveal() ?? '', limits.now())}`,
      'accept-version': 'v5.0',
    });
    const base = `${url.replace(/\/+$/, '')}/ghost/api/admin`;
    const api = new JsonApi({ base, headers, limits, errorOf });
    const contacts: ContactAccess<Patch> = {
      ...membersOf(api, options),
      near: (readAndWrite, signal) => closeTogether(limits.pace, 2, readAndWrite, signal),
    };
    return {
      name: 'ghost',
      async check(signal) {
        await api.send('GET', path`/newsletters/?limit=1`, undefined, signal);
        for (const newsletter of Object.values(options.streams)) {
          if (await api.find(z.object({}), path`/newsletters/${newsletter}/`, signal)) continue;
          const message = `options.streams: the site has no newsletter ${newsletter}`;
          throw new CrmError('misconfigured', 'SINK_CRM_MISCONFIGURED', message);
        }
      },
      async put(state, signal) {
        const { suppression } = state;
        // Nothing waits for a turn that is not needed.
        if (!suppression.suppressed && streamsLeft(suppression, options.streams).length === 0)
          return 'unchanged';
        return readPatchVerify(contacts, state, signal);
      },
      ...(options.unknown === 'leave' && {
        mailed: (recipients: readonly string[], signal: AbortSignal) => mailedOf(api, recipients, signal),
      }),
      suppressed: (signal, after) => unsubscribed(api, signal, after),
      erase: (recipient, signal) => eraseAll(erasable(api, recipient), signal),
      close: () => api.close(),
    };
  },
});

const TOKEN_SECONDS = 300;

const refusal = z.object({ errors: z.array(z.object({ message: z.string() })) });

/** A token that is over when it comes there is told from a key that is unknown: no other key would help. */
function errorOf({ status, body }: CrmResponse): CrmError | undefined {
  const said = status === 401 ? readAs(refusal, body)?.errors[0]?.message : undefined;
  if (!said?.includes('jwt expired')) return undefined;
  const message = 'the CRM answered 401: its clock is more than five minutes ahead of ours';
  return new CrmError('misconfigured', 'SINK_CRM_UNAUTHORIZED', message);
}

/** A JSON Web Token (RFC 7519), HS256, as the Admin API takes it: for five minutes at most. */
function tokenOf(key: string, now: number): string {
  const [kid = '', secret = ''] = key.split(':');
  const iat = Math.floor(now / 1_000);
  const header = { alg: 'HS256', typ: 'JWT', kid };
  const claims = { iat, exp: iat + TOKEN_SECONDS, aud: '/admin/' };
  const signed = [header, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
  const signature = createHmac('sha256', Buffer.from(secret, 'hex')).update(signed).digest('base64url');
  return `${signed}.${signature}`;
}

const members = z.object({
  members: z.array(
    z.object({ id: z.string(), email: z.string(), newsletters: z.array(z.object({ id: z.string() })) }),
  ),
});

/** More are not given at a time, whatever is asked for. */
const PAGE = 100;

const page = z.object({
  ...members.shape,
  meta: z.object({ pagination: z.object({ next: z.number().nullable() }) }),
});

const BEFORE_ALL = '0'.repeat(24);

/** By their ids: whoever comes or goes meanwhile moves no other out of a page that is still to be read. */
function unsubscribed(
  api: JsonApi,
  signal: AbortSignal,
  after: string | undefined,
): AsyncGenerator<SuppressedPage> {
  const read = async (cursor = BEFORE_ALL) => {
    const filter = `subscribed:false+id:>${quoted(cursor)}`;
    const at = path`/members/?limit=${PAGE}&order=${'id asc'}&filter=${filter}`;
    const { members: items, meta } = await api.read(page, at, signal);
    return { items, next: meta.pagination.next === null ? undefined : items.at(-1)?.id };
  };
  // What it takes for a subscription is its own matter: whoever has a newsletter is not listed.
  return pagesOf(
    read,
    ({ email, newsletters }) => (newsletters.length === 0 ? { recipient: email } : undefined),
    after,
  );
}

/** Whoever has a newsletter. */
async function mailedOf(
  api: JsonApi,
  recipients: readonly string[],
  signal: AbortSignal,
): Promise<readonly string[]> {
  const mailed = new Set<string>();
  for (const filter of shortEnough(recipients.map(writtenAs))) {
    const { members: found } = await api.read(
      members,
      path`/members/?limit=${PAGE}&filter=${filter}`,
      signal,
    );
    for (const { email, newsletters } of found) if (newsletters.length > 0) mailed.add(recipientKey(email));
  }
  return recipients.filter((recipient) => mailed.has(recipientKey(recipient)));
}

/** A request whose head is longer than 16 KiB is refused. */
const LONGEST_FILTER = 8_000;

/** Filters of which any may hold, as few as will do. */
function shortEnough(filters: readonly string[]): string[] {
  const joined: string[] = [];
  for (const filter of filters) {
    const both = `${joined.at(-1)},${filter}`;
    if (joined.length > 0 && encodeURIComponent(both).length <= LONGEST_FILTER)
      joined[joined.length - 1] = both;
    else joined.push(filter);
  }
  return joined;
}

interface Options {
  readonly streams: { readonly [scope: string]: string };
  readonly unknown: 'create' | 'leave';
}

interface Patch {
  readonly email: string;
  /** Those to change, with what they keep. None: there is no such member. */
  readonly members: readonly {
    readonly id: string;
    readonly newsletters: readonly { readonly id: string }[];
  }[];
}

/**
 * Newsletters only ever get fewer. Labels and everything else are left out of what is written, so they stay. On SQLite, addresses that
 * differ in the case of letters are several members: all of them are changed.
 */
function membersOf(api: JsonApi, { streams, unknown }: Options): ContactAccess<Patch> {
  return {
    async difference({ suppression }, signal) {
      const { recipient: email, suppressed } = suppression;
      const left = new Set(streamsLeft(suppression, streams));
      if (!suppressed && left.size === 0) return undefined;
      const found = await membersWith(api, email, signal);
      if (found.length === 0) return suppressed && unknown === 'create' ? { email, members: [] } : undefined;
      const changed = found.flatMap(({ id, newsletters }) => {
        const kept = suppressed ? [] : newsletters.filter((one) => !left.has(one.id));
        if (kept.length === newsletters.length) return [];
        return { id, newsletters: kept.map((one) => ({ id: one.id })) };
      });
      return changed.length > 0 ? { email, members: changed } : undefined;
    },
    async apply({ email, members: changed }, signal) {
      if (changed.length === 0)
        await api.send('POST', path`/members/`, { members: [{ email, newsletters: [] }] }, signal);
      await forAll(changed, ({ id, newsletters }) =>
        api.send('PUT', path`/members/${id}/`, { members: [{ newsletters }] }, signal),
      );
    },
  };
}

/** MySQL takes letters for the same that are not, as e and é, so what it finds is looked at again. */
async function membersWith(api: JsonApi, recipient: string, signal: AbortSignal) {
  const at = path`/members/?limit=${PAGE}&filter=${writtenAs(recipient)}`;
  const { members: found } = await api.read(members, at, signal);
  return found.filter(({ email }) => isSame(email, recipient));
}

function erasable(api: JsonApi, recipient: string): ErasableContacts {
  return {
    find: async (signal) => (await membersWith(api, recipient, signal)).map(({ id }) => id),
    remove: (id, signal) => api.remove(path`/members/${id}/`, signal),
  };
}

/**
 * Filter of the members with an address, whatever the case of its letters and the form of its domain. It begins and ends with the whole of
 * it, since only these comparisons leave case aside on every database.
 */
function writtenAs(recipient: string): string {
  const at = recipient.lastIndexOf('@') + 1;
  const domain = at > 0 ? domainToUnicode(recipient.slice(at)) : '';
  const readable = domain === '' ? recipient : recipient.slice(0, at) + domain;
  return [...new Set([recipient, readable])]
    .map(quoted)
    .map((text) => `(email:~^${text}+email:~$${text})`)
    .join();
}

/** A string of a filter: both quotes are escaped, nothing else is. */
const quoted = (text: string) => `'${text.replace(/['"]/g, '\\$&')}'`;
