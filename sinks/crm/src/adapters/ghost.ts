import { createHmac } from 'node:crypto';
import { recipientKey } from '@email-events/schemas';
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
import { CrmError } from '../errors.ts';
import { JsonApi, path } from '../json-api.ts';
import { pagesByOffset } from '../listing.ts';
import { streamsLeft, streamsOption } from '../streams.ts';
import { closeTogether } from '../turns.ts';

// Seen in November 2026: the Admin API's pages on members, newsletters and tokens, and the grammar of its filters.

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
      listSuppressed: 'all members, those without newsletters',
      eraseContacts: false,
    },
    scopes: [],
    limitations: [
      'No reasons.',
      'Newsletters are written as a whole: with `options.streams`, one that a member leaves in the milliseconds between a read and the write right after it comes back.',
    ],
  },
  connect({ url, secrets: [key], options }, limits) {
    const headers = () => ({
      authorization: `Ghost ${tokenOf(key?.reveal() ?? '', limits.now())}`,
      'accept-version': 'v5.0',
    });
    const api = new JsonApi({ base: `${url.replace(/\/+$/, '')}/ghost/api/admin`, headers, limits });
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
      close: () => api.close(),
    };
  },
});

const TOKEN_SECONDS = 300;

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
  members: z.array(z.object({ id: z.string(), newsletters: z.array(z.object({ id: z.string() })) })),
});

const PAGE = 100;

const page = z.object({
  members: z.array(z.object({ id: z.string(), email: z.string(), newsletters: z.array(z.unknown()) })),
});

function unsubscribed(
  api: JsonApi,
  signal: AbortSignal,
  after: string | undefined,
): AsyncGenerator<SuppressedPage> {
  const read = async (offset: number) => {
    const number = offset / PAGE + 1;
    const at = path`/members/?limit=${PAGE}&page=${number}&order=${'created_at asc'}`;
    return (await api.read(page, at, signal)).members;
  };
  return pagesByOffset(
    PAGE,
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
  const among = recipients.map(quoted).join(',');
  const { members: found } = await api.read(
    page,
    path`/members/?limit=${PAGE}&filter=${`email:[${among}]`}`,
    signal,
  );
  const mailed = new Set(
    found.filter(({ newsletters }) => newsletters.length > 0).map(({ email }) => recipientKey(email)),
  );
  return recipients.filter((recipient) => mailed.has(recipient));
}

interface Options {
  readonly streams: { readonly [scope: string]: string };
  readonly unknown: 'create' | 'leave';
}

interface Patch {
  readonly email: string;
  /** Undefined: there is no such member. */
  readonly id: string | undefined;
  readonly newsletters: readonly { readonly id: string }[];
}

/** Newsletters only ever get fewer. Labels and everything else are left out of what is written, so they stay. */
function membersOf(api: JsonApi, { streams, unknown }: Options): ContactAccess<Patch> {
  return {
    async difference({ suppression }, signal) {
      const { recipient: email, suppressed } = suppression;
      const left = new Set(streamsLeft(suppression, streams));
      if (!suppressed && left.size === 0) return undefined;
      const at = path`/members/?limit=1&filter=${`email:${quoted(email)}`}`;
      const [found] = (await api.read(members, at, signal)).members;
      if (!found)
        return suppressed && unknown === 'create' ? { email, id: undefined, newsletters: [] } : undefined;
      const newsletters = suppressed ? [] : found.newsletters.filter(({ id }) => !left.has(id));
      if (newsletters.length === found.newsletters.length) return undefined;
      return { email, id: found.id, newsletters: newsletters.map(({ id }) => ({ id })) };
    },
    async apply({ email, id, newsletters }, signal) {
      if (id === undefined)
        await api.send('POST', path`/members/`, { members: [{ email, newsletters }] }, signal);
      else await api.send('PUT', path`/members/${id}/`, { members: [{ newsletters }] }, signal);
    },
  };
}

/** A string of a filter: both quotes are escaped, nothing else is. */
const quoted = (text: string) => `'${text.replace(/['"]/g, '\\$&')}'`;
