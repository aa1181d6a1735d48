import type { Secret } from '@email-events/core';
import { recipientKey } from '@email-events/schemas';
import { z } from 'zod';
import { bringForward, type EngagedContact, type EngagementAccess } from '../bring-forward.ts';
import {
  type CallLimits,
  type ContactAccess,
  crmAddress,
  crmSecrets,
  defineCrm,
  forAll,
  forEveryReason,
  isHeaderText,
  type RecipientState,
  type StateFacts,
  type SuppressedPage,
} from '../crm.ts';
import type { EngagementFields } from '../engagement.ts';
import { type ErasableContacts, eraseAll, isSame } from '../erasing.ts';
import { CrmError } from '../errors.ts';
import type { CrmResponse } from '../http-client.ts';
import { readPatchSettle } from '../jobs.ts';
import { JsonApi, path, shaped } from '../json-api.ts';
import { pagesOf } from '../listing.ts';
import { streamsLeft, streamsOption } from '../streams.ts';

// Seen in November 2026: references of the Track and App APIs, and the guide of the subscription center.

const suppresses: StateFacts = {
  effect: 'suppresses',
  how: '`unsubscribed: true` of every person with the address; an unknown one becomes a person who is unsubscribed',
};

/** Track credentials: a site id and a key, which are the name and the password of the Track API. */
const TRACK = /^[^:]+:[^:]+$/;
const isTrack = (text: string) => TRACK.test(text);

export const customerio = defineCrm({
  name: 'customerio',
  title: 'Customer.io',
  documentation: [
    'https://docs.customer.io/integrations/api/track/',
    'https://docs.customer.io/integrations/api/app/',
    'https://docs.customer.io/journeys/subscription-center/',
  ],
  settings: z.strictObject({
    url: crmAddress(
      'https://track.customer.io',
      'base of the Track API; in the EU https://track-eu.customer.io',
    ),
    secrets: crmSecrets({
      description: 'SITE_ID:KEY of the Track API, and a key of the App API',
      usable: isHeaderText,
      expected: 'must be visible ASCII characters, as a header takes them',
      most: 2,
    }).refine(
      // Left to the list and to its secrets where those are at fault.
      (all) =>
        !all.every((one) => isHeaderText(one.reveal())) ||
        all.length === 0 ||
        areBoth(all.map((one) => one.reveal())),
      'two are needed: SITE_ID:KEY of the Track API, and a key of the App API',
    ),
    options: z.strictObject({
      appUrl: crmAddress(
        'https://api.customer.io',
        'base of the App API; in the EU https://api-eu.customer.io',
      ),
      streams: streamsOption(z.int().positive(), 'id of a topic of the subscription center'),
    }),
  }),
  facts: {
    states: {
      ...forEveryReason(suppresses),
      stream: { effect: 'leaves', how: 'but those of `options.streams`: off their topics' },
      lifted: { effect: 'leaves', how: '`unsubscribed` does not say who set it' },
    },
    keepsReasons: false,
    newerStays: false,
    limits: 'Track API 100 calls a second, App API 10',
    pace: { windows: [{ calls: 10, perMs: 1_000 }] },
    capabilities: {
      suppressAll: '`unsubscribed: true`',
      suppressStream: 'off a topic',
      recordFailures: false,
      createContacts: 'an unknown address becomes a person who is unsubscribed',
      batch: false,
      conditionalWrite: false,
      listSuppressed: 'search for people with `unsubscribed: true`',
      eraseContacts: 'deleted and suppressed',
      engagement: 'three attributes of every person with the address, in seconds; made with the first',
    },
    erasing: {
      after: 'blocked',
      how: 'its suppression ignores the address in all that is sent or imported later, where people are identified by it; elsewhere the ids of those who had it',
    },
    scopes: [],
    limitations: ['No reasons.', 'Every recipient is looked up in the App API, which is the slower one.'],
  },
  connect({ url, secrets, options }, limits) {
    const { track, app } = apisOf(url, secrets, options.appUrl, limits);
    const people = peopleOf(track, app, options.streams);
    return {
      name: 'customerio',
      async check(signal) {
        await track.send('GET', path`/api/v1/accounts/region`, undefined, signal);
        const wanted = Object.values(options.streams);
        if (wanted.length === 0) return void (await app.send('GET', path`/v1/workspaces`, undefined, signal));
        const { topics: known } = await app.read(topics, path`/v1/subscription_topics`, signal);
        const missing = wanted.find((id) => !known.some((topic) => topic.id === id));
        if (missing === undefined) return;
        const message = `options.streams: the workspace has no topic ${missing}`;
        throw new CrmError('misconfigured', 'SINK_CRM_MISCONFIGURED', message);
      },
      put: (state, signal) => readPatchSettle(people, state, signal),
      suppressed: (signal, after) => suppressedOf(app, signal, after),
      erase: (recipient, signal) => eraseAll(erasable(track, app, recipient), signal),
      async close() {
        await Promise.all([track.close(), app.close()]);
      },
    };
  },
  engagement: {
    connect({ url, secrets, options }, limits, names) {
      const { track, app } = apisOf(url, secrets, options.appUrl, limits);
      const access = engagedOf(track, app, names);
      return {
        async check(signal) {
          await track.send('GET', path`/api/v1/accounts/region`, undefined, signal);
          await app.send('GET', path`/v1/workspaces`, undefined, signal);
        },
        engage: (engagement, signal) => bringForward(access, engagement, signal),
        async close() {
          await Promise.all([track.close(), app.close()]);
        },
      };
    },
  },
});

function apisOf(url: string, secrets: readonly Secret[], appUrl: string, limits: CallLimits) {
  const texts = secrets.map((secret) => secret.reveal());
  const basic = Buffer.from(texts.find(isTrack) ?? '').toString('base64');
  const track = new JsonApi({ base: url, headers: { authorization: `Basic ${basic}` }, limits, errorOf });
  const bearer = { authorization: `Bearer ${texts.find((text) => !isTrack(text))}` };
  return { track, app: new JsonApi({ base: appUrl, headers: bearer, limits, errorOf }) };
}

/** Named by the id of who was found, so that nobody is made: who is gone is dropped there without a word. */
function engagedOf(track: JsonApi, app: JsonApi, names: EngagementFields): EngagementAccess<string> {
  return {
    names,
    // Attributes that are dates are seconds there, and shown as text.
    resolutionMs: 1_000,
    parse: (value) => (/^\d{1,11}$/.test(String(value)) ? Number(value) * 1_000 : Number.NaN),
    async find(recipient, signal) {
      const { results } = await app.read(found, path`/v1/customers?email=${recipient}`, signal);
      const contacts: EngagedContact<string>[] = [];
      for (const { cio_id, email } of results) {
        if (!isSame(email, recipient)) continue;
        const at = path`/v1/customers/${cio_id}/attributes?id_type=cio_id`;
        const read = await app.find(person, at, signal);
        if (read) contacts.push({ id: cio_id, fields: read.customer.attributes ?? {} });
      }
      return contacts;
    },
    async apply(cio_id, instants, signal) {
      const attributes = Object.fromEntries(
        Object.entries(instants).map(([name, instant]) => [name, instant / 1_000]),
      );
      const body = { type: 'person', action: 'identify', identifiers: { cio_id }, attributes };
      await track.send('POST', path`/api/v2/entity`, body, signal);
    },
    showsLater: true,
  };
}

const suppressedPage = z.object({
  identifiers: z.array(z.object({ email: z.string().nullish(), cio_id: z.string().nullish() })),
  next: z.string().nullish(),
});

function suppressedOf(
  app: JsonApi,
  signal: AbortSignal,
  after: string | undefined,
): AsyncGenerator<SuppressedPage> {
  const filter = { attribute: { field: 'unsubscribed', operator: 'eq', value: 'true' } };
  const read = async (start = '') => {
    const answer = await app.search(path`/v1/customers?limit=1000&start=${start}`, { filter }, signal);
    const { identifiers, next } = shaped(suppressedPage, answer);
    return { items: identifiers, next: next || undefined };
  };
  return pagesOf(read, ({ email }) => (email ? { recipient: email } : undefined), after);
}

const areBoth = (secrets: readonly string[]) => secrets.length === 2 && secrets.filter(isTrack).length === 1;

/** Limits are of a second, and nothing says when it ends. */
function errorOf({ status, headers }: CrmResponse): CrmError | undefined {
  if (status !== 429 || headers['retry-after'] !== undefined) return undefined;
  return new CrmError('throttled', 'SINK_CRM_THROTTLED', 'the CRM answered 429', { afterMs: 1_000 });
}

const topics = z.object({ topics: z.array(z.object({ id: z.int() })) });
const found = z.object({
  results: z.array(z.object({ cio_id: z.string().min(1), email: z.string().nullish() })),
});
const person = z.object({
  customer: z.object({
    unsubscribed: z.boolean().nullish(),
    attributes: z.record(z.string(), z.unknown()).nullish(),
  }),
});
const preferences = z.object({ topics: z.record(z.string(), z.unknown()).nullish() });

type Attributes = Readonly<Record<string, boolean>>;

/** Of one person, who is made if the address is unknown. */
interface Identify {
  readonly identifiers: { readonly cio_id: string } | { readonly email: string };
  readonly attributes: Attributes;
}

/**
 * A workspace may have several people with one address, if only their ids are unique. The Track API cannot be read, and may drop what it has
 * taken; the App API tells what came of it. A state is never written by `suppress`, which deletes the person, and all that is known of them, for good.
 */
function peopleOf(
  track: JsonApi,
  app: JsonApi,
  streams: { readonly [scope: string]: number },
): ContactAccess<readonly Identify[]> {
  return {
    async difference({ suppression }, signal) {
      const { recipient: email, suppressed } = suppression;
      if (!suppressed && streamsLeft(suppression, streams).length === 0) return undefined;
      const { results: all } = await app.read(found, path`/v1/customers?email=${email}`, signal);
      // Whoever is found besides is none of the recipient's.
      const results = all.filter((one) => recipientKey(one.email ?? email) === recipientKey(email));
      const patch: Identify[] = [];
      for (const { cio_id } of results) {
        const at = path`/v1/customers/${cio_id}/attributes?id_type=cio_id`;
        const read = await app.find(person, at, signal);
        const attributes = read ? lacking(suppression, read.customer, streams) : {};
        if (Object.keys(attributes).length > 0) patch.push({ identifiers: { cio_id }, attributes });
      }
      // Only who is suppressed for all mail: a person without a topic would be one who is mailed about all others.
      if (results.length === 0 && suppressed)
        patch.push({ identifiers: { email }, attributes: { unsubscribed: true } });
      return patch.length > 0 ? patch : undefined;
    },
    async apply(patch, signal) {
      await forAll(patch, async ({ identifiers, attributes }) => {
        const body = { type: 'person', action: 'identify', identifiers, attributes };
        await track.send('POST', path`/api/v2/entity`, body, signal);
      });
    },
  };
}

/** By the address, so that it is the address that is ignored from then on, and by person: an address need not identify one. */
function erasable(track: JsonApi, app: JsonApi, recipient: string): ErasableContacts {
  let ignored = false;
  const suppress = (identifier: string, signal: AbortSignal) =>
    track.send('POST', path`/api/v1/customers/${identifier}/suppress`, undefined, signal);
  return {
    async find(signal) {
      const { results } = await app.read(found, path`/v1/customers?email=${recipient}`, signal);
      return results.flatMap(({ cio_id, email }) => (isSame(email, recipient) ? cio_id : []));
    },
    async remove(id, signal) {
      if (!ignored) await suppress(recipient, signal);
      ignored = true;
      await suppress(`cio_${id}`, signal);
    },
  };
}

/** The attributes that bring the person to the state. */
function lacking(
  suppression: RecipientState['suppression'],
  { unsubscribed, attributes }: z.output<typeof person>['customer'],
  streams: { readonly [scope: string]: number },
): Attributes {
  if (suppression.suppressed) return unsubscribed === true ? {} : { unsubscribed: true };
  const on = topicsOf(attributes?.cio_subscription_preferences);
  const left = streamsLeft(suppression, streams).filter((id) => on[`topic_${id}`] !== false);
  // By path: the attribute as a whole would replace the choices about other topics.
  return Object.fromEntries(left.map((id) => [`cio_subscription_preferences.topics.topic_${id}`, false]));
}

/** Attributes are shown as text, or as what they are. Nothing is known of one that cannot be read. */
function topicsOf(attribute: unknown): Readonly<Record<string, unknown>> {
  return preferences.safeParse(asJson(attribute)).data?.topics ?? {};
}

function asJson(attribute: unknown): unknown {
  if (typeof attribute !== 'string') return attribute;
  try {
    return JSON.parse(attribute);
  } catch {
    return undefined;
  }
}
