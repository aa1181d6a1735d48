import { z } from 'zod';
import {
  type ContactAccess,
  crmAddress,
  crmSecrets,
  defineCrm,
  forEveryReason,
  isHeaderText,
  readPatchVerify,
  type StateFacts,
  type SuppressedContact,
} from '../crm.ts';
import { CrmError, errorOfStatus } from '../errors.ts';
import { nextCursor } from '../json-api.ts';
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
    capabilities: {
      suppressAll: '`HasOptedOutOfEmail: true`',
      suppressStream: false,
      recordFailures: false,
      createContacts: false,
      batch: false,
      conditionalWrite: false,
      listSuppressed: 'query for `HasOptedOutOfEmail = true`',
      eraseContacts: false,
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
    const records = recordsOf(api, options.objects);
    return {
      name: 'salesforce',
      async check(signal) {
        const queries = options.objects.map((object) => queryOf(object, 'Id != null', 1));
        for (const result of await api.composite(queries, signal)) queried(result, rows);
      },
      async put(state, signal) {
        return state.suppression.suppressed ? readPatchVerify(records, state, signal) : 'unchanged';
      },
      suppressed: (signal) => suppressedOf(api, options.objects, signal),
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
      LastModifiedDate: z.string().transform((text) => new Date(text).toUTCString()),
    }),
  ),
});

/** Of one object. A composite call takes 25 parts, so two objects have twelve each; what is above is found when it is read back. */
const AT_A_TIME = 12;

/**
 * Reads both objects in one call, and opts out in another. Each record is changed only if nobody has changed it since it was read: by then
 * it may have the address of another person.
 */
function recordsOf(api: SalesforceApi, objects: readonly SObject[]): ContactAccess<readonly OptedIn[]> {
  return {
    async difference({ suppression }, signal) {
      const with_ = `Email = '${escaped(suppression.recipient)}' AND HasOptedOutOfEmail = false`;
      const found = await api.composite(
        objects.map((object) => queryOf(object, with_, AT_A_TIME)),
        signal,
      );
      const optedIn = found.flatMap((result, at) => {
        const object = objects[at] ?? 'Contact';
        return queried(result, rows).records.map(({ Id, LastModifiedDate }) => ({
          object,
          id: Id,
          readAt: LastModifiedDate,
        }));
      });
      return optedIn.length > 0 ? optedIn : undefined;
    },
    async apply(records, signal) {
      const results = await api.composite(
        records.map(({ object, id, readAt }) => ({
          method: 'PATCH' as const,
          path: `/sobjects/${object}/${encodeURIComponent(id)}`,
          httpHeaders: { 'If-Unmodified-Since': readAt },
          body: { HasOptedOutOfEmail: true },
        })),
        signal,
      );
      // All have been tried: the first that failed is the one that is told.
      for (const result of results) {
        const error = errorOfRow(result);
        if (error) throw error;
      }
    },
  };
}

function queryOf(object: SObject, condition: string, limit: number) {
  const open = object === 'Lead' ? ' AND IsConverted = false' : '';
  const soql = `SELECT Id, HasOptedOutOfEmail, LastModifiedDate FROM ${object} WHERE ${condition}${open} LIMIT ${limit}`;
  return { method: 'GET' as const, path: `/query?q=${encodeURIComponent(soql)}` };
}

const optedOut = z.object({
  done: z.boolean(),
  records: z.array(z.object({ Id: z.string(), Email: z.string() })),
});
const PAGE = 2_000;

/** By their ids, so that a page begins where the last one ended whatever is changed meanwhile. */
async function* suppressedOf(
  api: SalesforceApi,
  objects: readonly SObject[],
  signal: AbortSignal,
): AsyncGenerator<SuppressedContact> {
  for (const object of objects) {
    let after = '';
    for (;;) {
      const beyond = after === '' ? '' : ` AND Id > '${escaped(after)}'`;
      const soql = `SELECT Id, Email FROM ${object} WHERE HasOptedOutOfEmail = true AND Email != null${beyond} ORDER BY Id LIMIT ${PAGE}`;
      const [result] = await api.composite(
        [{ method: 'GET', path: `/query?q=${encodeURIComponent(soql)}` }],
        signal,
      );
      const { done, records } = result ? queried(result, optedOut) : { done: true, records: [] };
      for (const { Email } of records) yield { recipient: Email };
      const last = records.at(-1);
      // A page of large records may have fewer than were asked for.
      if (!last || (done && records.length < PAGE)) break;
      after = nextCursor(last.Id, after);
    }
  }
}

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
