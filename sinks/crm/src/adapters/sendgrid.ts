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
  type SuppressedPage,
} from '../crm.ts';
import { CrmError } from '../errors.ts';
import type { CrmResponse } from '../http-client.ts';
import { headerOf, JsonApi, path } from '../json-api.ts';
import { pagesByOffset } from '../listing.ts';
import { streamsLeft, streamsOption } from '../streams.ts';

// Seen in November 2026: the references of global suppressions, suppressions, unsubscribe groups, scopes and rate limits.

const suppresses: StateFacts = { effect: 'suppresses', how: 'the address is a global suppression' };

/** SendGrid as a second sender: who bounced, complained or left elsewhere is not mailed from there either. */
export const sendgrid = defineCrm({
  name: 'sendgrid',
  title: 'SendGrid suppressions',
  documentation: [
    'https://www.twilio.com/docs/sendgrid/api-reference/suppressions-global-suppressions',
    'https://www.twilio.com/docs/sendgrid/api-reference/how-to-use-the-sendgrid-v3-api/rate-limits',
  ],
  settings: z.strictObject({
    url: crmAddress(
      'https://api.sendgrid.com',
      'base of the API; `https://api.eu.sendgrid.com` for EU subusers',
    ),
    secrets: apiToken('API key that may read and create suppressions'),
    options: z.strictObject({
      streams: streamsOption(z.int().positive(), 'id of an unsubscribe group'),
      onBehalfOf: z
        .string()
        .refine((text) => /^[\x20-\x7e]+$/.test(text), 'must be ASCII characters, as a header takes them')
        .optional()
        .describe('subuser, or `account-id ID`, whose suppressions they are'),
    }),
  }),
  facts: {
    isSuppressionList: true,
    states: {
      ...forEveryReason(suppresses),
      stream: { effect: 'leaves', how: 'but those of `options.streams`: suppressed in their groups' },
      lifted: { effect: 'leaves', how: 'nothing tells whether the address was suppressed by us alone' },
    },
    keepsReasons: false,
    newerStays: false,
    limits: 'by endpoint, in the answers; two or three calls a recipient',
    capabilities: {
      suppressAll: 'a global suppression',
      suppressStream: 'suppressed in an unsubscribe group',
      recordFailures: false,
      createContacts: 'no contact is needed',
      batch: false,
      conditionalWrite: false,
      listSuppressed: 'the global suppressions',
      eraseContacts: false,
      engagement: false,
    },
    scopes: ['Suppressions: full access'],
    limitations: [
      'No reasons: the lists of bounces, blocks and spam reports can be read, and never added to.',
    ],
  },
  connect({ url, secrets: [key], options: { streams, onBehalfOf } }, limits) {
    const headers = {
      authorization: `Bearer ${key?.reveal()}`,
      ...(onBehalfOf && { 'on-behalf-of': onBehalfOf }),
    };
    const errorOf = (answer: CrmResponse) => throttledBy(answer, limits.now());
    const api = new JsonApi({ base: `${url}/v3`, headers, limits, errorOf });
    const suppressions = suppressionsOf(api, streams);
    return {
      name: 'sendgrid',
      async check(signal) {
        const { scopes } = await api.read(keyScopes, path`/scopes`, signal);
        const needed = Object.keys(streams).length > 0 ? [GLOBAL_SCOPE, GROUPS_SCOPE] : [GLOBAL_SCOPE];
        const lacking = needed.filter((scope) => !scopes.includes(scope));
        if (lacking.length > 0)
          throw new CrmError('misconfigured', 'SINK_CRM_UNAUTHORIZED', `the key lacks ${lacking.join(', ')}`);
        for (const group of Object.values(streams)) {
          if (await api.find(z.object({}), path`/asm/groups/${group}`, signal)) continue;
          const message = `options.streams: the account has no unsubscribe group ${group}`;
          throw new CrmError('misconfigured', 'SINK_CRM_MISCONFIGURED', message);
        }
      },
      put: (state, signal) => readPatchVerify(suppressions, state, signal),
      suppressed: (signal, after) => unsubscribes(api, signal, after),
      close: () => api.close(),
    };
  },
});

/** To add global suppressions, and suppressions in groups. */
const [GLOBAL_SCOPE, GROUPS_SCOPE] = ['asm.suppressions.global.create', 'asm.groups.suppressions.create'];

const keyScopes = z.object({ scopes: z.array(z.string()) });

/** Empty for an address that is not suppressed. */
const globally = z.object({ recipient_email: z.string().optional() });

const inGroups = z.object({
  suppressions: z.array(z.object({ id: z.int(), suppressed: z.boolean().optional() })),
});

interface Patch {
  readonly email: string;
  readonly lists: readonly ('global' | number)[];
}

/** Suppressions belong to addresses: there are no contacts to make. */
function suppressionsOf(api: JsonApi, streams: { readonly [scope: string]: number }): ContactAccess<Patch> {
  return {
    async difference({ suppression }, signal) {
      const { recipient: email, suppressed } = suppression;
      if (suppressed) {
        const at = path`/asm/suppressions/global/${email}`;
        const found = await api.find(globally, at, signal);
        return found?.recipient_email ? undefined : { email, lists: ['global'] };
      }
      const left = streamsLeft(suppression, streams);
      if (left.length === 0) return undefined;
      const found = await api.find(inGroups, path`/asm/suppressions/${email}`, signal);
      const off = new Set(
        found?.suppressions.flatMap((group) => (group.suppressed === false ? [] : group.id)),
      );
      const lists = left.filter((group) => !off.has(group));
      return lists.length > 0 ? { email, lists } : undefined;
    },
    async apply({ email, lists }, signal) {
      await forAll(lists, async (list) => {
        const at =
          list === 'global' ? path`/asm/suppressions/global` : path`/asm/groups/${list}/suppressions`;
        await api.send('POST', at, { recipient_emails: [email] }, signal);
      });
    },
  };
}

const PAGE = 500;

const page = z.array(z.object({ email: z.string(), created: z.number() }));

function unsubscribes(
  api: JsonApi,
  signal: AbortSignal,
  after: string | undefined,
): AsyncGenerator<SuppressedPage> {
  const read = (offset: number) =>
    api.read(page, path`/suppression/unsubscribes?limit=${PAGE}&offset=${offset}`, signal);
  return pagesByOffset(
    PAGE,
    read,
    ({ email, created }) => ({ recipient: email, since: created * 1_000 }),
    after,
  );
}

const LONGEST_MS = 3_600_000;

/** A limit ends at a time in a header, in seconds since 1970. There is no Retry-After. */
function throttledBy(answer: CrmResponse, now: number): CrmError | undefined {
  const reset = headerOf(answer, 'x-ratelimit-reset');
  if (answer.status !== 429 || !/^\d+$/.test(reset ?? '')) return undefined;
  const afterMs = Math.min(LONGEST_MS, Math.max(0, Number(reset) * 1_000 - now));
  return new CrmError('throttled', 'SINK_CRM_THROTTLED', 'the CRM answered 429', { afterMs });
}
