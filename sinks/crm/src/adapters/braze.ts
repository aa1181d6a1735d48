import { z } from 'zod';
import {
  crmAddress,
  crmSecrets,
  defineCrm,
  forAll,
  isHeaderText,
  type RecipientState,
  type StateFacts,
} from '../crm.ts';
import { type ErasableContacts, eraseAll, isSame } from '../erasing.ts';
import { CrmError, errorOfStatus } from '../errors.ts';
import { type CrmResponse, retryAfterMs } from '../http-client.ts';
import { headerOf, JsonApi, path, readAs, shaped } from '../json-api.ts';
import { streamsLeft, streamsOption } from '../streams.ts';

// Seen in November 2026: the pages below.

const unsubscribes: StateFacts = {
  effect: 'suppresses',
  how: 'state `unsubscribed` of the address, whether or not a user has it',
};
const blocks: StateFacts = {
  effect: 'suppresses',
  how: 'on the blocklist: unsubscribed and marked as hard bounced, so that transactional mail stops too',
};

export const braze = defineCrm({
  name: 'braze',
  title: 'Braze',
  documentation: [
    'https://www.braze.com/docs/api/endpoints/email/post_email_subscription_status/',
    'https://www.braze.com/docs/api/endpoints/email/post_blocklist/',
    'https://www.braze.com/docs/api/endpoints/subscription_groups/post_update_user_subscription_group_status_v2/',
    'https://www.braze.com/docs/api/endpoints/subscription_groups/get_list_user_subscription_group_status/',
    'https://www.braze.com/docs/api/endpoints/export/user_data/post_users_identifier/',
    'https://www.braze.com/docs/api/endpoints/user_data/post_user_delete',
    'https://www.braze.com/docs/api/api_limits/',
  ],
  settings: z.strictObject({
    url: crmAddress('https://rest.iad-01.braze.com', 'REST endpoint of the workspace’s instance'),
    secrets: crmSecrets({
      description:
        'REST API key with email.status and email.blacklist, and for `streams` subscription.status.get and subscription.status.set',
      usable: isHeaderText,
      expected: 'must be visible ASCII characters, as a header takes them',
      most: 1,
    }),
    options: z.strictObject({ streams: streamsOption(z.uuid(), 'id of a subscription group') }),
  }),
  facts: {
    states: {
      hard_bounce: blocks,
      complaint: blocks,
      unsubscribe: unsubscribes,
      soft_bounces: unsubscribes,
      manual: unsubscribes,
      stream: { effect: 'leaves', how: 'but those of `options.streams`: unsubscribed from their groups' },
      lifted: {
        effect: 'leaves',
        how: 'the state does not say who set it, and a blocked address has no undo here',
      },
    },
    keepsReasons: false,
    newerStays: false,
    limits: '250,000 calls an hour; subscription groups 5,000 a minute',
    pace: {
      windows: [{ calls: 250_000, perMs: 3_600_000 }],
      headers: { retryAfter: 'x-ratelimit-retry-after' },
    },
    capabilities: {
      suppressAll: 'state `unsubscribed`, or the blocklist',
      suppressStream: 'unsubscribed from a subscription group',
      recordFailures: false,
      createContacts: 'states are of addresses: no user is made',
      batch: false,
      conditionalWrite: false,
      listSuppressed: false,
      eraseContacts: 'users deleted',
      engagement: false,
    },
    erasing: {
      after: 'mailable',
      how: 'states of addresses are apart from users, and Braze does not say that they outlive them',
      scopes: ['users.export.ids', 'users.delete'],
    },
    scopes: ['email.status', 'email.blacklist'],
    limitations: [
      'No reasons.',
      'The states of addresses are written, not read back: Braze shows them some time later.',
    ],
  },
  connect({ url, secrets: [key], options }, limits) {
    const headers = { authorization: `Bearer ${key?.reveal()}` };
    const api = new JsonApi({
      base: url,
      headers,
      limits,
      errorOf: (answer) => errorOf(answer, limits.now()),
    });
    return {
      name: 'braze',
      async check(signal) {
        // Of no address: it is refused, but not for want of the permission.
        for (const at of [path`/email/status`, path`/email/blocklist`]) await writesNothing(api, at, signal);
        for (const group of Object.values(options.streams)) await requireGroup(api, group, signal);
      },
      async put({ suppression }, signal) {
        if (suppression.suppressed) {
          await suppress(api, suppression, signal);
          return 'written';
        }
        const left = streamsLeft(suppression, options.streams);
        let written = false;
        await forAll(left, async (group) => {
          written = (await leave(api, group, suppression.recipient, signal)) || written;
        });
        return written ? 'written' : 'unchanged';
      },
      erase: (recipient, signal) => eraseAll(erasable(api, recipient), signal),
      close: () => api.close(),
    };
  },
});

const BLOCKED = new Set<string>(['hard_bounce', 'complaint']);

const outcome = z.object({ message: z.string(), errors: z.array(z.unknown()).nullish() });
const statuses = z.object({
  status: z.record(z.string(), z.string()).nullish(),
  message: z.string().nullish(),
});

/** Says the same however often it is said. */
async function suppress(
  api: JsonApi,
  { recipient, reasons }: RecipientState['suppression'],
  signal: AbortSignal,
) {
  const email = [recipient];
  const blocked = reasons.some(({ reason, scope }) => scope === 'all' && BLOCKED.has(reason));
  const answer = blocked
    ? await api.send('POST', path`/email/blocklist`, { email }, signal)
    : await api.send('POST', path`/email/status`, { email, subscription_state: 'unsubscribed' }, signal);
  requireSuccess(answer);
}

/** It may have failed of an address inside an answer of success. */
function requireSuccess(answer: CrmResponse): void {
  const { message, errors } = shaped(outcome, answer);
  if (message === 'success' && (errors ?? []).length === 0) return;
  throw new CrmError('rejected', 'SINK_CRM_REJECTED', 'the CRM took the call, and not the address');
}

/** Only who is there and not off yet: to set the state of an address that no user has would make one, who is subscribed to the rest. */
async function leave(api: JsonApi, group: string, email: string, signal: AbortSignal): Promise<boolean> {
  const status = await statusOf(api, group, email, signal);
  if (status === undefined || status === 'unsubscribed') return false;
  const groups = [{ subscription_group_id: group, subscription_state: 'unsubscribed', emails: [email] }];
  requireSuccess(
    await api.send('POST', path`/v2/subscription/status/set`, { subscription_groups: groups }, signal),
  );
  return true;
}

const exported = z.object({
  users: z.array(z.object({ braze_id: z.string().min(1), email: z.string().nullish() })),
});

/** By id: an address may be that of several users, and to delete by it takes one of them. */
function erasable(api: JsonApi, recipient: string): ErasableContacts {
  return {
    async find(signal) {
      const asked = { email_address: recipient, fields_to_export: ['braze_id', 'email'] };
      const { users } = shaped(exported, await api.search(path`/users/export/ids`, asked, signal));
      return users.flatMap(({ braze_id, email }) => (isSame(email, recipient) ? braze_id : []));
    },
    async remove(id, signal) {
      requireSuccess(await api.send('POST', path`/users/delete`, { braze_ids: [id] }, signal));
    },
  };
}

/** In small letters; undefined: there is no such user. */
async function statusOf(api: JsonApi, group: string, email: string, signal: AbortSignal) {
  const at = path`/subscription/status/get?subscription_group_id=${group}&email=${email}`;
  const answer = await api.exchange('GET', at, undefined, signal);
  if (isUnknownUser(answer)) return undefined;
  // One for each user with the address: whoever still gets the mail decides.
  const all = Object.values(shaped(statuses, api.succeeded(answer)).status ?? {}).map((one) =>
    one.toLowerCase(),
  );
  return all.find((one) => one !== 'unsubscribed') ?? all[0];
}

/** By its message, whatever the status: the pages give the one and not the other. */
const isUnknownUser = ({ status, body }: CrmResponse): boolean =>
  status === 404 || (status < 500 && /^user not found/i.test(readAs(statuses, body)?.message ?? ''));

async function writesNothing(api: JsonApi, at: ReturnType<typeof path>, signal: AbortSignal): Promise<void> {
  const answer = await api.exchange('POST', at, { email: [], subscription_state: 'unsubscribed' }, signal);
  if (answer.status !== 400) api.succeeded(answer);
}

async function requireGroup(api: JsonApi, group: string, signal: AbortSignal): Promise<void> {
  const at = path`/subscription/status/get?subscription_group_id=${group}&email=${'nobody@invalid'}`;
  const answer = await api.exchange('GET', at, undefined, signal);
  if (isUnknownUser(answer)) return;
  if (answer.status !== 400) return void api.succeeded(answer);
  const message = `options.streams: the workspace has no subscription group ${group}`;
  throw new CrmError('misconfigured', 'SINK_CRM_MISCONFIGURED', message);
}

/** A 429 has its own header, and an epoch time in seconds beside it. */
function errorOf(answer: CrmResponse, now: number): CrmError | undefined {
  if (answer.status !== 429) return undefined;
  const after = headerOf(answer, 'x-ratelimit-retry-after') ?? headerOf(answer, 'retry-after');
  const reset = (Number(headerOf(answer, 'x-ratelimit-reset')) * 1_000 - now) / 1_000;
  return errorOfStatus(429, retryAfterMs(after ?? (reset > 0 ? String(reset) : undefined), now));
}
