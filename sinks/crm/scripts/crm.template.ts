import { z } from 'zod';
import {
  apiToken,
  type ContactAccess,
  crmAddress,
  defineCrm,
  forEveryReason,
  readPatchVerify,
  type StateFacts,
} from '../src/crm.ts';
import { CrmError } from '../src/errors.ts';
import { type CrmRequest, HttpClient } from '../src/http-client.ts';

// Seen (year and month): the pages that the facts below are from.

const suppresses: StateFacts = { effect: 'suppresses', how: '`opted_out: true`' };
const allows: StateFacts = { effect: 'allows', how: '`opted_out: false`' };

export const exampleCrm = defineCrm({
  name: 'example-crm',
  title: 'Example Crm',
  documentation: ['https://example-crm.example/docs/contacts'],
  settings: z.strictObject({
    url: crmAddress('https://api.example-crm.example', 'base of the API'),
    secrets: apiToken('API token'),
    options: z.strictObject({
      account: z.string().min(1).default('main').describe('account that the contacts are in; default: main'),
    }),
  }),
  facts: {
    states: {
      ...forEveryReason(suppresses),
      stream: allows,
      lifted: allows,
    },
    keepsReasons: false,
    newerStays: false,
    limits: '10 calls a second an account',
    pace: { windows: [{ calls: 10, perMs: 1_000 }] },
    capabilities: {
      suppressAll: '`opted_out: true`',
      suppressStream: false,
      recordFailures: false,
      createContacts: '`PUT` creates the contact',
      batch: false,
      conditionalWrite: false,
      listSuppressed: false,
      eraseContacts: false,
      engagement: false,
    },
    scopes: ['contacts.write'],
    undoesOptOuts: '`opted_out` does not say who set it',
    limitations: ['No reasons: a contact is opted out, or not.'],
  },
  connect({ url, secrets, options }, { timeoutMs, concurrency, now, pace, plan }) {
    const client = new HttpClient({ timeoutMs, connections: concurrency, now, pace, plan });
    const [token] = secrets;
    const headers = { authorization: `Bearer ${token?.reveal()}`, 'content-type': 'application/json' };
    // An address is one part of the path, even if it contains a slash.
    const at = (...parts: string[]) =>
      new URL(`${url}/accounts/${[options.account, ...parts].map(encodeURIComponent).join('/')}`);
    const request = (method: CrmRequest['method'], path: URL, body?: object): CrmRequest => ({
      ...{ method, url: path, headers },
      ...(body && { body: JSON.stringify(body) }),
    });
    const contacts: ContactAccess<{ email: string; opted_out: boolean }> = {
      async difference({ suppression }, signal) {
        const { recipient: email, suppressed } = suppression;
        const found = await client.find(request('GET', at('contacts', email)), signal);
        const before = found === undefined ? false : optedOut(found.body);
        return before === suppressed ? undefined : { email, opted_out: suppressed };
      },
      async apply({ email, opted_out }, signal) {
        await client.call(request('PUT', at('contacts', email), { opted_out }), signal);
      },
    };
    return {
      name: 'example-crm',
      check: async (signal) => {
        await client.call(request('GET', at()), signal);
      },
      put: (state, signal) => readPatchVerify(contacts, state, signal),
      close: () => client.close(),
    };
  },
});

/** Of a contact as the API shows it. An answer that cannot be read says nothing, so it is asked for again. */
function optedOut(body: string): boolean {
  try {
    const { opted_out } = JSON.parse(body) as { opted_out?: unknown };
    if (typeof opted_out === 'boolean') return opted_out;
  } catch {
    // Told below: what it quotes may hold an address.
  }
  throw new CrmError('unavailable', 'SINK_CRM_UNAVAILABLE', 'the contact that was read is none');
}
