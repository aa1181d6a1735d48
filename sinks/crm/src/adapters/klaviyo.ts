import { z } from 'zod';
import {
  type ContactAccess,
  type CrmAdapter,
  crmAddress,
  crmSecrets,
  defineCrm,
  forAll,
  forEveryReason,
  isHeaderText,
  type PutResult,
  type RecipientState,
  readPatchVerify,
  type StateFacts,
  type SuppressedContact,
  type SuppressedPage,
} from '../crm.ts';
import { type ErasableContacts, eraseAll, isSame } from '../erasing.ts';
import { CrmError } from '../errors.ts';
import type { CrmResponse } from '../http-client.ts';
import { type Follow, followJob, readPatchSettle } from '../jobs.ts';
import { type ApiPath, JsonApi, path, shaped } from '../json-api.ts';
import { pagesOf } from '../listing.ts';
import { streamsLeft, streamsOption } from '../streams.ts';

// Seen in November 2026: the pages below, and Klaviyo's OpenAPI description (github.com/klaviyo/openapi, MIT) of this revision.
const REVISION = '2026-04-15';
const SCOPES = ['profiles:read', 'profiles:write', 'subscriptions:read', 'subscriptions:write'];

const suppresses: StateFacts = {
  effect: 'suppresses',
  how: 'suppressed by a job that is followed to its end; an unknown address becomes a profile that is suppressed',
};

export const klaviyo = defineCrm({
  name: 'klaviyo',
  title: 'Klaviyo',
  documentation: [
    'https://developers.klaviyo.com/en/reference/bulk_suppress_profiles',
    'https://developers.klaviyo.com/en/reference/get_bulk_suppress_profiles_job',
    'https://developers.klaviyo.com/en/reference/get_profiles',
    'https://developers.klaviyo.com/en/reference/remove_profiles_from_list',
    'https://developers.klaviyo.com/en/reference/request_profile_deletion',
    'https://developers.klaviyo.com/en/docs/rate_limits_and_error_handling',
  ],
  settings: z.strictObject({
    url: crmAddress('https://a.klaviyo.com', 'base of the API'),
    secrets: crmSecrets({
      description: `private API key with ${SCOPES.join(', ')}, and for \`streams\` lists:read and lists:write`,
      usable: isHeaderText,
      expected: 'must be visible ASCII characters, as a header takes them',
      most: 1,
    }),
    options: z.strictObject({
      streams: streamsOption(
        z.string().regex(/^[A-Za-z0-9]+$/, 'must be letters and digits, as the id of a list is'),
        'id of a list',
      ),
    }),
  }),
  facts: {
    states: {
      ...forEveryReason(suppresses),
      stream: { effect: 'leaves', how: 'but those of `options.streams`: taken off their lists' },
      lifted: { effect: 'leaves', how: 'it does not tell our suppression from one that was made there' },
    },
    keepsReasons: false,
    newerStays: false,
    limits: '75 calls a second and 750 a minute; to take off a list, 10 a second and 150 a minute',
    pace: {
      windows: [
        { calls: 75, perMs: 1_000 },
        { calls: 750, perMs: 60_000 },
      ],
    },
    capabilities: {
      suppressAll: 'a suppression job, whatever consent there is',
      suppressStream: 'taken off a list',
      recordFailures: false,
      createContacts: 'the job makes a profile, which is suppressed',
      batch: false,
      conditionalWrite: false,
      listSuppressed: 'profiles by the time of their suppression',
      eraseContacts: 'a privacy deletion job',
      engagement: false,
    },
    erasing: {
      after: 'mailable',
      how: 'suppressions go with the profile; Klaviyo lists the address among its deleted profiles, which keeps nobody from importing it',
      scopes: ['data-privacy:write'],
    },
    scopes: SCOPES,
    limitations: [
      'No reasons.',
      'A suppression is lifted in Klaviyo.',
      'Off a list is not unsubscribed from it: an import into the list puts people back.',
    ],
  },
  connect: ({ url, secrets: [key], options }, limits) => {
    const headers = {
      authorization: `Klaviyo-API-Key ${key?.reveal()}`,
      revision: REVISION,
      accept: 'application/vnd.api+json',
      'content-type': 'application/vnd.api+json',
    };
    return createKlaviyo(new JsonApi({ base: url, headers, limits, errorOf }), options.streams);
  },
});

/** It says 403 for a key without a scope, 401 for no key of an account. */
function errorOf({ status }: CrmResponse): CrmError | undefined {
  if (status !== 403) return undefined;
  const message = `the CRM answered 403: the key needs ${SCOPES.join(', ')}, for lists lists:read and lists:write, and to erase data-privacy:write`;
  return new CrmError('misconfigured', 'SINK_CRM_UNAUTHORIZED', message);
}

const suppressions = z.object({ suppression: z.array(z.unknown()).nullish() });
const subscriptions = z.object({ email: z.object({ marketing: suppressions.nullish() }).nullish() });
const profiles = z.object({
  data: z.array(
    z.object({
      id: z.string(),
      attributes: z.object({ email: z.string().nullish(), subscriptions: subscriptions.nullish() }),
    }),
  ),
});
const job = z.object({
  data: z.object({
    id: z.string(),
    attributes: z.object({ status: z.string(), skipped_count: z.number().nullish() }),
  }),
});
const lists = z.object({ data: z.array(z.object({ id: z.string() })) });

export function createKlaviyo(
  api: JsonApi,
  streams: { readonly [scope: string]: string },
  follow?: Follow,
): CrmAdapter {
  const suppress = (state: RecipientState, signal: AbortSignal): Promise<PutResult> => {
    let skipped = false;
    const profile: ContactAccess<string> = {
      async difference({ suppression: { recipient } }) {
        const found = await profileOf(api, recipient, signal);
        // No profile came of the job, so there is none that Klaviyo could mail.
        const done = found ? found.suppressed : skipped;
        return done ? undefined : recipient;
      },
      async apply(email) {
        ({ skipped } = await runSuppression(api, email, signal, follow));
      },
    };
    return readPatchSettle(profile, state, signal, follow);
  };
  const memberships = membershipsOf(api, streams);
  return {
    name: 'klaviyo',
    async check(signal) {
      await api.read(profiles, path`/api/profiles?page[size]=1&fields[profile]=subscriptions`, signal);
      await api.send('GET', path`/api/profile-suppression-bulk-create-jobs`, undefined, signal);
      for (const id of Object.values(streams)) {
        if (await api.find(z.unknown(), path`/api/lists/${id}`, signal)) continue;
        const message = `options.streams: the account has no list ${id}`;
        throw new CrmError('misconfigured', 'SINK_CRM_MISCONFIGURED', message);
      }
    },
    put: (state, signal) =>
      state.suppression.suppressed ? suppress(state, signal) : readPatchVerify(memberships, state, signal),
    suppressed: (signal, after) => suppressedOf(api, signal, after),
    erase: (recipient, signal) => eraseAll(erasable(api, recipient), signal, follow),
    close: () => api.close(),
  };
}

const suppressedPage = z.object({
  data: z.array(
    z.object({
      id: z.string(),
      attributes: z.object({
        email: z.string().nullish(),
        subscriptions: z.object({
          email: z.object({
            marketing: z.object({
              suppression: z.array(z.object({ reason: z.string(), timestamp: z.string() })),
            }),
          }),
        }),
      }),
    }),
  ),
  links: z.object({ next: z.string().nullish() }).nullish(),
});

/** Oldest first, so that who is suppressed meanwhile comes at the end. */
function suppressedOf(
  api: JsonApi,
  signal: AbortSignal,
  after: string | undefined,
): AsyncGenerator<SuppressedPage> {
  const time = 'subscriptions.email.marketing.suppression.timestamp';
  const read = async (cursor: string | undefined) => {
    const query = new URLSearchParams({
      filter: `greater-than(${time},1970-01-01T00:00:00Z)`,
      sort: time,
      'additional-fields[profile]': 'subscriptions',
      'fields[profile]': 'email,subscriptions.email.marketing.suppression',
      'page[size]': '100',
      ...(cursor !== undefined && { 'page[cursor]': cursor }),
    });
    const { data, links } = await api.read(suppressedPage, `/api/profiles?${query}` as ApiPath, signal);
    // Of its address, only the cursor is taken: the calls stay with the configured one.
    const next = URL.parse(links?.next ?? '')?.searchParams.get('page[cursor]');
    return { items: data, next: next || undefined };
  };
  return pagesOf(read, ({ attributes }) => contactOf(attributes), after);
}

/** Its reasons that are no choice of the recipient or of a user. */
const BECAUSE: { readonly [reason: string]: SuppressedContact['because'] } = {
  HARD_BOUNCE: 'hard_bounce',
  INVALID_EMAIL: 'hard_bounce',
  SPAM_COMPLAINT: 'complaint',
};

function contactOf({
  email,
  subscriptions: of,
}: z.output<typeof suppressedPage>['data'][number]['attributes']): SuppressedContact | undefined {
  const [first] = of.email.marketing.suppression;
  if (!email || !first) return undefined;
  const since = Date.parse(first.timestamp);
  const because = BECAUSE[first.reason];
  return {
    ...{ recipient: email, reason: first.reason },
    ...(Number.isNaN(since) ? {} : { since }),
    ...(because && { because }),
  };
}

async function profileOf(api: JsonApi, email: string, signal: AbortSignal) {
  // A text is quoted and escaped in the filter as in JSON.
  const filter = `equals(email,${JSON.stringify(email)})`;
  const found = path`/api/profiles?additional-fields[profile]=subscriptions&filter=${filter}`;
  const [profile] = (await api.read(profiles, found, signal)).data;
  if (!profile) return undefined;
  const { suppression } = profile.attributes.subscriptions?.email?.marketing ?? {};
  return { id: profile.id, email: profile.attributes.email, suppressed: (suppression ?? []).length > 0 };
}

/** Suppresses the address whatever consent there is, and makes a profile where there is none. */
async function runSuppression(api: JsonApi, email: string, signal: AbortSignal, follow?: Follow) {
  const body = suppressionJob(email);
  const jobs = path`/api/profile-suppression-bulk-create-jobs`;
  const { id } = shaped(job, await api.send('POST', jobs, body, signal)).data;
  const ended = async () => {
    const { attributes } = (
      await api.read(job, path`/api/profile-suppression-bulk-create-jobs/${id}`, signal)
    ).data;
    if (attributes.status === 'complete') return { skipped: (attributes.skipped_count ?? 0) > 0 };
    if (attributes.status !== 'cancelled') return undefined;
    throw new CrmError('unverified', 'SINK_CRM_UNVERIFIED', 'the job that suppresses was cancelled');
  };
  return followJob(ended, signal, follow);
}

/** Its job has no id to be asked for: that the profile is gone tells its end. */
function erasable(api: JsonApi, recipient: string): ErasableContacts {
  return {
    async find(signal) {
      const profile = await profileOf(api, recipient, signal);
      return profile && isSame(profile.email, recipient) ? [profile.id] : [];
    },
    async remove(_id, signal) {
      await api.send('POST', path`/api/data-privacy-deletion-jobs`, deletionJob(recipient), signal);
    },
  };
}

/** Body of the job that erases every profile of an address. */
const deletionJob = (email: string) => ({
  data: {
    type: 'data-privacy-deletion-job' as const,
    attributes: { profile: { data: { type: 'profile' as const, attributes: { email } } } },
  },
});

/** Body of the job that suppresses one address. */
export const suppressionJob = (email: string) => ({
  data: {
    type: 'profile-suppression-bulk-create-job' as const,
    attributes: { profiles: { data: [{ type: 'profile' as const, attributes: { email } }] } },
  },
});

/**
 * The lists that a profile is on although it left their streams. Never by profile-subscription-bulk-delete-jobs: that unsubscribes from
 * everything those who are off the list by the time it runs, as they are when it is asked for again after a lost answer.
 */
function membershipsOf(
  api: JsonApi,
  streams: { readonly [scope: string]: string },
): ContactAccess<{ readonly profile: string; readonly on: readonly string[] }> {
  return {
    async difference({ suppression }, signal) {
      const left = streamsLeft(suppression, streams);
      if (left.length === 0) return undefined;
      const profile = await profileOf(api, suppression.recipient, signal);
      if (!profile) return undefined;
      const memberships = path`/api/profiles/${profile.id}/relationships/lists`;
      const { data } = await api.read(lists, memberships, signal);
      const on = left.filter((list) => data.some(({ id }) => id === list));
      return on.length > 0 ? { profile: profile.id, on } : undefined;
    },
    async apply({ profile, on }, signal) {
      await forAll(on, async (list) => {
        await api.send(
          'DELETE',
          path`/api/lists/${list}/relationships/profiles`,
          listRemoval(profile),
          signal,
        );
      });
    },
  };
}

/** Body of the call that takes one profile off a list. */
export const listRemoval = (id: string) => ({ data: [{ type: 'profile' as const, id }] });
