import { recipientKey } from '@email-events/schemas';
import { z } from 'zod';
import {
  crmAddress,
  crmSecrets,
  defineCrm,
  forEveryReason,
  isHeaderText,
  type PutResult,
  type StateFacts,
  type SuppressedPage,
} from '../crm.ts';
import { CrmError, errorOfStatus } from '../errors.ts';
import { pagesOf } from '../listing.ts';
import { SalesforceApi, type SalesforceResult } from '../salesforce-api.ts';

// Seen in November 2026: REST API guide (composite, conditional requests, errors), object reference (Contact, Lead), OAuth client credentials flow.

const suppresses: StateFacts = {
  effect: 'suppresses',
  how: '`HasOptedOutOfEmail` of every contact and lead with the address; nothing is made for an unknown one',
};

export const salesforce = defineCrm({
  name: 'salesforce',
  title: 'Salesforce',
  documentation: [
    'https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_composite_composite.htm',
    'https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/intro_rest_conditional_requests.htm',
    'https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_contact.htm',
    'https://help.salesforce.com/s/articleView?id=sf.remoteaccess_oauth_client_credentials_flow.htm',
  ],
  settings: z.strictObject({
    url: crmAddress('https://login.salesforce.com', 'the org’s own address: https://NAME.my.salesforce.com'),
    secrets: crmSecrets({
      description:
        'CONSUMER_KEY:CONSUMER_SECRET of a connected app with the client credentials flow, whose user may edit `HasOptedOutOfEmail`',
      usable: (text) => isHeaderText(text) && /^[^:]+:[^:]+$/.test(text),
      expected: 'must be the consumer key, a colon, and the consumer secret',
      most: 1,
    }),
    options: z.strictObject({
      objects: z
        .array(z.enum(['Contact', 'Lead']))
        .min(1)
        .default(['Contact', 'Lead'])
        .describe('objects whose records are opted out; default: Contact and Lead'),
    }),
  }),
  facts: {
    states: {
      ...forEveryReason(suppresses),
      stream: { effect: 'leaves', how: 'it has one opt-out for all mail' },
      lifted: { effect: 'leaves', how: '`HasOptedOutOfEmail` does not say who set it' },
    },
    keepsReasons: false,
    newerStays: false,
    limits: 'calls of a day, by edition and licences: three a recipient, one if it is opted out or unknown',
    account: 'address',
    capabilities: {
      suppressAll: '`HasOptedOutOfEmail: true`',
      suppressStream: false,
      recordFailures: false,
      createContacts: false,
      batch: false,
      conditionalWrite: false,
      listSuppressed: 'query for `HasOptedOutOfEmail = true`',
      eraseContacts: false,
      engagement: false,
    },
    scopes: ['api'],
    limitations: [
      'No reasons.',
      'Who becomes a contact later is not opted out by it.',
      'Leads that were converted are left as they are: Salesforce takes no change of them.',
    ],
  },
  connect({ url, secrets: [secret], options }, limits) {
    const api = new SalesforceApi({ url, credentials: secret?.reveal() ?? '', limits });
    return {
      name: 'salesforce',
      async check(signal) {
        const queries = options.objects.map((object) => queryOf(object, 'Id != null', 1));
        for (const result of await api.composite(queries, signal)) queried(result, rows);
      },
      async put(state, signal) {
        const { recipient, suppressed } = state.suppression;
        return suppressed ? optOut(api, options.objects, recipient, signal) : 'unchanged';
      },
      mailed: (recipients, signal) => mailedOf(api, options.objects, recipients, signal),
      suppressed: (signal, after) => suppressedOf(api, options.objects, signal, after),
      close: () => api.close(),
    };
  },
});

type SObject = 'Contact' | 'Lead';

/** A record that still gets mail. */
interface OptedIn {
  readonly object: SObject;
  readonly id: string;
  /** As a header of HTTP has it. */
  readonly readAt: string;
}

const rows = z.object({
  records: z.array(
    z.object({
      Id: z.string().min(1),
      // Without a colon in its offset, which ISO 8601 allows and zod's own does not.
      LastModifiedDate: z
        .string()
        .refine((text) => !Number.isNaN(Date.parse(text)))
        .transform((text) => new Date(text).toUTCString()),
    }),
  ),
});

/** Of one object. A composite call takes 25 parts, so two objects have twelve each. */
const AT_A_TIME = 12;
/** Rounds of so many, for one address. Whoever has more than these is still opted out bit by bit, by the attempts that follow. */
const MOST_ROUNDS = 200;

/** Where to go on with an object. */
interface From {
  readonly object: SObject;
  /** Id of the last record that was seen. */
  readonly after: string;
}

/**
 * Reads both objects in one call, and opts out in another, until all records of the address were seen; then looks whether it holds. Each
 * record is changed only if nobody has changed it since it was read: by then it may have the address of another person. One that is refused
 * keeps none of the others opted in.
 */
async function optOut(
  api: SalesforceApi,
  objects: readonly SObject[],
  recipient: string,
  signal: AbortSignal,
): Promise<PutResult> {
  const start = objects.map((object) => ({ object, after: '' }));
  let written = false;
  let refused: CrmError | undefined;
  let from: readonly From[] = start;
  for (let round = 0; from.length > 0 && round < MOST_ROUNDS; round++) {
    const found = await optedIn(api, from, recipient, signal);
    const records = found.flat();
    if (records.length > 0) {
      written = true;
      refused = (await change(api, records, signal)) ?? refused;
    }
    from = found.flatMap((some) => {
      const last = some.at(-1);
      return last && some.length === AT_A_TIME ? { object: last.object, after: last.id } : [];
    });
  }
  if (refused) throw refused;
  if (!written) return 'unchanged';
  if ((await optedIn(api, start, recipient, signal)).every(({ length }) => length === 0)) return 'written';
  throw new CrmError('unverified', 'SINK_CRM_UNVERIFIED', 'read back, a record still gets mail');
}

/** For each object, the next records that still get mail. */
async function optedIn(
  api: SalesforceApi,
  from: readonly From[],
  recipient: string,
  signal: AbortSignal,
): Promise<OptedIn[][]> {
  const queries = from.map(({ object, after }) => {
    const beyond = after === '' ? '' : ` AND Id > '${escaped(after)}'`;
    const condition = `Email = '${escaped(recipient)}' AND HasOptedOutOfEmail = false${beyond}`;
    return queryOf(object, condition, AT_A_TIME);
  });
  const found = await api.composite(queries, signal);
  return found.map((result, at) => {
    const object = from[at]?.object ?? 'Contact';
    return queried(result, rows).records.map(({ Id, LastModifiedDate }) => ({
      ...{ object, id: Id, readAt: LastModifiedDate },
    }));
  });
}

/** All are tried. Returns the first error that is of a record; throws one that is of all. */
async function change(
  api: SalesforceApi,
  records: readonly OptedIn[],
  signal: AbortSignal,
): Promise<CrmError | undefined> {
  const results = await api.composite(
    records.map(({ object, id, readAt }) => ({
      method: 'PATCH' as const,
      path: `/sobjects/${object}/${encodeURIComponent(id)}`,
      httpHeaders: { 'If-Unmodified-Since': readAt },
      body: { HasOptedOutOfEmail: true },
    })),
    signal,
  );
  const errors = results.flatMap((result) => errorOfRow(result) ?? []);
  const ofAll = errors.find(({ failure }) => failure === 'misconfigured' || failure === 'throttled');
  if (ofAll) throw ofAll;
  return errors[0];
}

function queryOf(object: SObject, condition: string, limit: number) {
  const soql = `SELECT Id, HasOptedOutOfEmail, LastModifiedDate FROM ${object} WHERE ${condition}${openOnly(object)} ORDER BY Id LIMIT ${limit}`;
  return { method: 'GET' as const, path: `/query?q=${encodeURIComponent(soql)}` };
}

const optedOut = z.object({
  done: z.boolean(),
  records: z.array(z.object({ Id: z.string(), Email: z.string() })),
});
const PAGE = 2_000;

/** By object and ids, so that a page begins where the last one ended whatever is changed meanwhile. */
function suppressedOf(
  api: SalesforceApi,
  objects: readonly SObject[],
  signal: AbortSignal,
  from: string | undefined,
): AsyncGenerator<SuppressedPage> {
  const read = async (cursor = `${objects[0]}/`) => {
    const [name = '', after = ''] = cursor.split('/');
    const at = objects.indexOf(name as SObject);
    const object = objects[at];
    if (!object)
      throw new CrmError('rejected', 'SINK_CRM_REJECTED', 'the listing has another place to go on');
    const beyond = after === '' ? '' : ` AND Id > '${escaped(after)}'`;
    const soql = `SELECT Id, Email FROM ${object} WHERE HasOptedOutOfEmail = true AND Email != null${beyond} ORDER BY Id LIMIT ${PAGE}`;
    const [result] = await api.composite(
      [{ method: 'GET', path: `/query?q=${encodeURIComponent(soql)}` }],
      signal,
    );
    const { done, records } = result ? queried(result, optedOut) : { done: true, records: [] };
    const last = records.at(-1);
    // A page of large records may have fewer than were asked for.
    const more = last !== undefined && (!done || records.length >= PAGE);
    const next = objects[at + 1];
    return { items: records, next: more ? `${object}/${last.Id}` : next && `${next}/` };
  };
  return pagesOf(read, ({ Email }) => ({ recipient: Email }), from);
}

const mailedRows = z.object({ records: z.array(z.object({ Email: z.string() })) });

/** Whoever has a record that still gets mail. */
async function mailedOf(
  api: SalesforceApi,
  objects: readonly SObject[],
  recipients: readonly string[],
  signal: AbortSignal,
): Promise<readonly string[]> {
  const among = recipients.map((recipient) => `'${escaped(recipient)}'`).join(', ');
  const queries = objects.map((object) => {
    const soql = `SELECT Id, Email FROM ${object} WHERE HasOptedOutOfEmail = false AND Email IN (${among})${openOnly(object)} LIMIT ${PAGE}`;
    return { method: 'GET' as const, path: `/query?q=${encodeURIComponent(soql)}` };
  });
  const found = await api.composite(queries, signal);
  const all = found.map((result) => queried(result, mailedRows).records);
  // There may be more of whoever is not among them.
  if (all.some((records) => records.length >= PAGE)) return recipients;
  const mailed = new Set(all.flat().map(({ Email }) => recipientKey(Email)));
  return recipients.filter((recipient) => mailed.has(recipient));
}

/** Leads that were converted take no change. */
const openOnly = (object: SObject) => (object === 'Lead' ? ' AND IsConverted = false' : '');

/** Of a text in single quotes of SOQL. */
const escaped = (text: string) => text.replaceAll(/[\\']/g, '\\$&');

function queried<T>(result: SalesforceResult, shape: z.ZodType<T>): T {
  const error = errorOfRow(result);
  if (error) throw error;
  const read = shape.safeParse(result.body);
  if (read.success) return read.data;
  throw new CrmError('unavailable', 'SINK_CRM_UNAVAILABLE', 'the answer has another form than documented');
}

/** Somebody else is at work on the record: it is read again. */
const BUSY = new Set(['UNABLE_TO_LOCK_ROW', 'PRECONDITION_FAILED']);
/** It is gone since it was read, or has become a contact. */
const GONE = new Set(['ENTITY_IS_DELETED', 'NOT_FOUND', 'CANNOT_UPDATE_CONVERTED_LEAD']);
/** The user of the app may not see the object or the field, or not change it. */
const NO_ACCESS = new Set(['INVALID_FIELD', 'INVALID_TYPE', 'INVALID_FIELD_FOR_INSERT_UPDATE']);

/** Of one part of a composite call, which is answered with 200 whatever became of its parts. */
function errorOfRow({ status, codes }: SalesforceResult): CrmError | undefined {
  if (status < 400 || codes.some((code) => GONE.has(code))) return undefined;
  if (status === 412 || codes.some((code) => BUSY.has(code)))
    return new CrmError('unverified', 'SINK_CRM_UNVERIFIED', 'a record was changed at the same time');
  if (codes.some((code) => NO_ACCESS.has(code))) {
    const message = 'the user of the connected app lacks the right to read or to edit HasOptedOutOfEmail';
    return new CrmError('misconfigured', 'SINK_CRM_MISCONFIGURED', message);
  }
  return errorOfStatus(status, undefined);
}
