import { createHash } from 'node:crypto';
import { isSigningSecret, type Secret, SIGNING_SECRET_EXPECTED, webhookSigner } from '@email-events/core';
import { z } from 'zod';
import {
  type CallLimits,
  type CrmAdapter,
  crmAddress,
  crmSecrets,
  defineCrm,
  forEveryReason,
  type RecipientState,
  type StateFacts,
} from '../crm.ts';
import { errorOfStatus } from '../errors.ts';
import { HttpClient } from '../http-client.ts';

const suppresses: StateFacts = { effect: 'suppresses', how: '`suppressed: true`, with the reason' };

export const http = defineCrm({
  name: 'http',
  title: 'Signed HTTP',
  documentation: ['https://www.standardwebhooks.com'],
  settings: z.strictObject({
    url: crmAddress('http://127.0.0.1:8090/suppressions', 'where states are posted'),
    secrets: crmSecrets({
      description: 'signing secrets: a call carries one signature for each',
      usable: isSigningSecret,
      expected: SIGNING_SECRET_EXPECTED,
    }),
    options: z.strictObject({}),
  }),
  facts: {
    isSuppressionList: true,
    states: {
      ...forEveryReason(suppresses),
      stream: { effect: 'allows', how: '`suppressed: false`, with the streams that were left as reasons' },
      lifted: { effect: 'allows', how: '`suppressed: false`, no reasons' },
    },
    keepsReasons: true,
    newerStays: true,
    limits: 'the receiver’s own',
    account: 'address',
    capabilities: {
      suppressAll: '`suppressed: true`',
      suppressStream: 'a reason with the stream as scope',
      recordFailures: '`since` and `detail` of the reason',
      createContacts: 'the receiver knows addresses, not contacts',
      batch: false,
      conditionalWrite: 'the receiver drops older revisions',
      listSuppressed: false,
      eraseContacts: false,
    },
    scopes: [],
    limitations: ['The receiver makes the write conditional: it drops what is older than what it has.'],
  },
  connect: ({ url, secrets }, limits) => createHttpAdapter({ url, secrets, ...limits }),
});

export interface HttpAdapterOptions extends CallLimits {
  readonly url: string;
  /** whsec_…; a call carries one signature for each. */
  readonly secrets: readonly Secret[];
}

/** The body of a call: the suppression in its Avro field names, and when it was recorded. */
export type SuppressionBody = RecipientState['suppression'] & { readonly recorded_at: number };

/**
 * Any system that takes a signed HTTP call (Standard Webhooks 1.0, https://www.standardwebhooks.com).
 * The receiver makes the write conditional: it drops a state whose revision, or recorded_at where one has none, is below that of the one it has.
 */
export function createHttpAdapter(options: HttpAdapterOptions): CrmAdapter {
  const url = new URL(options.url);
  const signed = webhookSigner(options.secrets);
  const client = new HttpClient({
    timeoutMs: options.timeoutMs,
    connections: options.concurrency,
    now: options.now,
    pace: options.pace,
    plan: options.plan,
  });
  const sign = (id: string, body: string) => ({ ...signed(id, body, options.now()) });
  return {
    name: 'http',
    async check(signal) {
      // A real call would be data to the receiver. Whether it takes the signature only a real call can tell:
      // many gateways answer 401, 403 or 404 to a method they do not know.
      const { status } = await client.exchange({ method: 'HEAD', url, headers: sign('check', '') }, signal);
      if (GATEWAY_STATUSES.has(status)) throw errorOfStatus(status, undefined);
    },
    async put(state, signal) {
      const body = JSON.stringify(bodyOf(state));
      const headers = { 'content-type': 'application/json', ...sign(webhookId(state), body) };
      await client.call({ method: 'POST', url, headers, body }, signal);
      return 'written';
    },
    close: () => client.close(),
  };
}

/** Headers by which a receiver knows the body for ours, as Standard Webhooks have them. `now`: epoch milliseconds. */
export const standardWebhook = (secrets: readonly Secret[], id: string, body: string, now: number) => ({
  ...webhookSigner(secrets)(id, body, now),
});

/** Answers of a gateway that finds nothing behind the address. */
const GATEWAY_STATUSES = new Set([502, 503, 504]);

const bodyOf = ({ suppression, recordedAt }: RecipientState): SuppressionBody => ({
  ...suppression,
  recorded_at: recordedAt,
});

/** The same for every attempt to send this state and for no other state; says nothing about the recipient. */
export function webhookId({ suppression }: RecipientState): string {
  const { recipient, event_id, changed_at, revision } = suppression;
  // One event may lead to two states: before and after an operator took back what is between them.
  const parts = [recipient, event_id, changed_at, ...(revision > 0 ? [revision] : [])];
  const digest = createHash('sha256').update(JSON.stringify(parts));
  return `state_${digest.digest('base64url').slice(0, 32)}`;
}
