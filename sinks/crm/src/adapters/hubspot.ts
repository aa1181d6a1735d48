import { z } from 'zod';
import { asIso, bringForward, type EngagementAccess, parseIso, requireFields } from '../bring-forward.ts';
import { ENGAGEMENTS } from '../config.ts';
import {
  apiToken,
  type ContactAccess,
  crmAddress,
  defineCrm,
  type EraseResult,
  forAll,
  forEveryReason,
  readPatchVerify,
  type StateFacts,
} from '../crm.ts';
import type { EngagementFields } from '../engagement.ts';
import { CrmError } from '../errors.ts';
import type { CrmResponse } from '../http-client.ts';
import { JsonApi, path, readAs } from '../json-api.ts';
import { streamsLeft, streamsOption } from '../streams.ts';

// Seen in November 2026: the reference of communication preferences 2026-03 (statuses, definitions), usage guidelines, error handling; the GDPR
// delete, reads and changes of contacts, their properties, and what the knowledge base says of its block list.

const ERASE_SCOPE = 'crm.objects.contacts.write';

const suppresses: StateFacts = {
  effect: 'suppresses',
  how: 'the address is unsubscribed from all e-mail; no contact is made',
};

export const hubspot = defineCrm({
  name: 'hubspot',
  title: 'HubSpot',
  documentation: [
    'https://developers.hubspot.com/docs/api-reference/latest/communication-preferences/guide',
    'https://developers.hubspot.com/docs/developer-tooling/platform/usage-guidelines',
    'https://developers.hubspot.com/docs/api-reference/legacy/crm/objects/contacts/gdpr/gdpr-delete-contact',
  ],
  settings: z.strictObject({
    url: crmAddress('https://api.hubapi.com', 'base of the API'),
    secrets: apiToken('access token of a private app with communication_preferences.read_write'),
    options: z.strictObject({
      streams: streamsOption(z.int().positive(), 'id of a subscription type'),
      businessUnits: z
        .array(z.int().nonnegative())
        .default([])
        .describe('ids of the brands (business units) to unsubscribe from; default: the account as a whole'),
    }),
  }),
  facts: {
    states: {
      ...forEveryReason(suppresses),
      stream: { effect: 'leaves', how: 'but those of `options.streams`: unsubscribed from their types' },
      lifted: { effect: 'leaves', how: 'unsubscribing from all has no undo by API' },
    },
    keepsReasons: false,
    newerStays: false,
    limits: '100 to 250 calls in 10 s an app, by plan; several a recipient',
    capabilities: {
      suppressAll: 'unsubscribed from all e-mail',
      suppressStream: 'unsubscribed from a subscription type',
      recordFailures: false,
      createContacts: 'no contact is needed',
      batch: false,
      conditionalWrite: false,
      listSuppressed: false,
      eraseContacts: 'deleted for privacy (GDPR delete)',
      engagement: 'three properties of the contact, date and time',
    },
    erasing: {
      after: 'blocked',
      how: 'the address goes on a block list, also if there was no contact: no import and no user brings it back, only a form, a mail of its owner, or another program by the API; HubSpot takes up to 30 days to purge all of it',
      scopes: [ERASE_SCOPE],
    },
    scopes: ['communication_preferences.read_write'],
    pace: {
      windows: [{ calls: 100, perMs: 10_000 }],
      // The second is the length of the window, so its end is not later.
      headers: {
        remaining: 'x-hubspot-ratelimit-remaining',
        resetMs: 'x-hubspot-ratelimit-interval-milliseconds',
      },
    },
    limitations: ['No reasons.', 'Whoever resubscribes does so at HubSpot.'],
  },
  connect({ url, secrets: [token], options }, limits) {
    const headers = { authorization: `Bearer ${token?.reveal()}` };
    const errorOf = errorOfScope('communication_preferences.read_write');
    const api = new JsonApi({ base: `${url}${PREFERENCES}`, headers, limits, errorOf });
    const objects = new JsonApi({ base: url, headers, limits, errorOf: errorOfScope(ERASE_SCOPE) });
    const contacts = contactsOf(api, options);
    return {
      name: 'hubspot',
      async check(signal) {
        const { results } = await api.read(definitions, path`/definitions`, signal);
        const known = new Set(results.map(({ id }) => String(id)));
        const missing = Object.values(options.streams).find((id) => !known.has(String(id)));
        if (missing === undefined) return;
        const message = `options.streams: the account has no subscription type ${missing}`;
        throw new CrmError('misconfigured', 'SINK_CRM_MISCONFIGURED', message);
      },
      put: (state, signal) => readPatchVerify(contacts, state, signal),
      erase: (recipient, signal) => erase(objects, recipient, signal),
      async close() {
        await Promise.all([api.close(), objects.close()]);
      },
    };
  },
  engagement: {
    scopes: ['crm.objects.contacts.read', 'crm.objects.contacts.write', 'crm.schemas.contacts.read'],
    connect({ url, secrets: [token] }, limits, names) {
      const headers = { authorization: `Bearer ${token?.reveal()}` };
      const api = new JsonApi({
        base: url,
        headers,
        limits,
        errorOf: errorOfScope('crm.objects.contacts.write'),
      });
      const access = engagedOf(api, names);
      return {
        async check(signal) {
          const { results } = await api.read(properties, path`/crm/v3/properties/contacts`, signal);
          const fits = (name: string) =>
            results.some((each) => each.name === name && each.type === 'datetime');
          requireFields(names, fits, 'a property, date and time');
        },
        engage: (engagement, signal) => bringForward(access, engagement, signal),
        close: () => api.close(),
      };
    },
  },
});

const properties = z.object({ results: z.array(z.object({ name: z.string(), type: z.string() })) });

const objectOf = z.object({ id: z.string(), properties: z.record(z.string(), z.unknown()) });

/** Read by its address, which is one identity of a contact: others may be among its further addresses, and are found by it as well. */
function engagedOf(api: JsonApi, names: EngagementFields): EngagementAccess<string> {
  const asked = ENGAGEMENTS.map((name) => names[name]).join(',');
  return {
    ...{ names, parse: parseIso },
    async find(recipient, signal) {
      const at = path`/crm/v3/objects/contacts/${recipient}?idProperty=email&properties=${asked}`;
      const found = await api.find(objectOf, at, signal);
      return found ? [{ id: found.id, fields: found.properties }] : [];
    },
    async apply(id, instants, signal) {
      const body = { properties: asIso(instants) };
      const answer = await api.exchange('PATCH', path`/crm/v3/objects/contacts/${id}`, body, signal);
      // Deleted since it was found.
      if (answer.status !== 404) api.succeeded(answer);
    },
  };
}

/** By the address: it is blocked also if nobody has it, and a call that is made again does no more. */
async function erase(api: JsonApi, recipient: string, signal: AbortSignal): Promise<EraseResult> {
  const body = { objectId: recipient, idProperty: 'email' };
  const answer = await api.exchange('POST', path`/crm/v3/objects/contacts/gdpr-delete`, body, signal);
  if (answer.status === 404) return 'absent';
  api.succeeded(answer);
  return 'erased';
}

const PREFERENCES = '/communication-preferences/2026-03';

const idOf = z.union([z.string(), z.int()]);

const definitions = z.object({ results: z.array(z.object({ id: idOf })) });

/** Of all e-mail. Lists nothing for an address that is not unsubscribed from all. */
const wideStatuses = z.object({
  results: z.array(
    z.object({
      status: z.string(),
      wideStatusType: z.string().optional(),
      businessUnitId: z.int().nullish(),
    }),
  ),
});

const typeStatuses = z.object({
  results: z.array(z.object({ subscriptionId: idOf, status: z.string() })),
});

interface Options {
  readonly streams: { readonly [scope: string]: number };
  readonly businessUnits: readonly number[];
}

/** What an address is to be unsubscribed from: all e-mail, of the account or of brands; or types. */
interface Patch {
  readonly email: string;
  readonly all: readonly Unit[];
  readonly types: readonly number[];
}

type Unit = number | 'account';

/** Preferences belong to the address: they are read and written whether or not it has a contact. */
function contactsOf(api: JsonApi, { streams, businessUnits }: Options): ContactAccess<Patch> {
  const units: readonly Unit[] = businessUnits.length > 0 ? businessUnits : ['account'];
  return {
    async difference({ suppression }, signal) {
      const { recipient: email, suppressed } = suppression;
      if (suppressed) {
        // Without it the answer is empty, whatever the status is.
        const at = path`/statuses/${email}/unsubscribe-all?channel=EMAIL&verbose=true`;
        const { results } = await api.read(wideStatuses, at, signal);
        const all = units.filter((unit) => !results.some((status) => isOff(status, unit)));
        return all.length > 0 ? { email, all, types: [] } : undefined;
      }
      const left = streamsLeft(suppression, streams);
      if (left.length === 0) return undefined;
      const { results } = await api.read(typeStatuses, path`/statuses/${email}?channel=EMAIL`, signal);
      const off = new Set(
        results.flatMap(({ subscriptionId, status }) => (status === OFF ? String(subscriptionId) : [])),
      );
      const types = left.filter((id) => !off.has(String(id)));
      return types.length > 0 ? { email, all: [], types } : undefined;
    },
    async apply({ email, all, types }, signal) {
      await forAll(all, async (unit) => {
        const at =
          unit === 'account'
            ? path`/statuses/${email}/unsubscribe-all?channel=EMAIL`
            : path`/statuses/${email}/unsubscribe-all?channel=EMAIL&businessUnitId=${unit}`;
        await api.send('POST', at, undefined, signal);
      });
      await forAll(types, async (subscriptionId) => {
        const body = { channel: 'EMAIL', statusState: OFF, subscriptionId };
        await api.send('POST', path`/statuses/${email}`, body, signal);
      });
    },
  };
}

const OFF = 'UNSUBSCRIBED';

/** A status of the whole account counts for each brand. The account without brands is brand 0. */
function isOff({ status, wideStatusType, businessUnitId }: WideStatus, unit: Unit): boolean {
  if (status !== OFF) return false;
  return wideStatusType === 'PORTAL_WIDE' || (businessUnitId ?? 0) === (unit === 'account' ? 0 : unit);
}

type WideStatus = z.output<typeof wideStatuses>['results'][number];

const refusal = z.object({ category: z.string().optional(), policyName: z.string().optional() });

/** Milliseconds until a limit may be over, by the name that a 429 gives it; that of a day ends at midnight where the account is. */
const PAUSE_MS: { readonly [policy: string]: number } = {
  SECONDLY: 1_000,
  TEN_SECONDLY_ROLLING: 10_000,
  DAILY: 600_000,
};

/** A 429 names the limit and has no Retry-After; a 403 says whether it is a scope that lacks. */
const errorOfScope =
  (scope: string) =>
  ({ status, headers, body }: CrmResponse): CrmError | undefined => {
    if (status === 429 && headers['retry-after'] === undefined) {
      const policy = readAs(refusal, body)?.policyName ?? '';
      const afterMs = PAUSE_MS[policy] ?? PAUSE_MS.TEN_SECONDLY_ROLLING;
      return new CrmError('throttled', 'SINK_CRM_THROTTLED', 'the CRM answered 429', { afterMs });
    }
    if (status !== 403 || readAs(refusal, body)?.category !== 'MISSING_SCOPES') return undefined;
    const message = `the CRM answered 403: the token lacks the scope ${scope}`;
    return new CrmError('misconfigured', 'SINK_CRM_UNAUTHORIZED', message);
  };
