import { createHash } from 'node:crypto';
import { isSigningSecret, type Secret, SIGNING_SECRET_EXPECTED, webhookSigner } from '@email-events/core';
import { z } from 'zod';
import { ENGAGEMENTS } from '../config.ts';
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
    options: z.strictObject({
      engagementUrl: crmAddress('', 'where engagement is posted; needed for it')
        .removeDefault()
        .optional()
        .describe('where engagement is posted; needed for it'),
    }),
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
      engagement: 'posted to `engagementUrl`; the receiver keeps the newest of each',
    },
    scopes: [],
    limitations: ['The receiver makes the write conditional: it drops what is older than what it has.'],
  },
  connect: ({ url, secrets }, limits) => createHttpAdapter({ url, secrets, ...limits }),
  engagement: {
    problem: ({ options }) =>
      options.engagementUrl === undefined
        ? { path: 'options.engagementUrl', message: 'is needed for engagement: states go to another address' }
        : undefined,
    connect: ({ secrets, options }, limits, names) => {
      const { check, close, post } = receiverOf({ url: options.engagementUrl ?? '', secrets, ...limits });
      return {
        check,
        async engage({ recipient, instants }, signal) {
          const known = ENGAGEMENTS.filter((name) => instants[name] !== undefined);
          const fields = Object.fromEntries(known.map((name) => [names[name], instants[name]]));
          const body = JSON.stringify({ recipient, ...fields });
          await post(`engagement_${digestOf(body)}`, body, signal);
          return 'written';
        },
        close,
      };
    },
  },
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
  const { check, close, post } = receiverOf(options);
  return {
    name: 'http',
    check,
    async put(state, signal) {
      await post(webhookId(state), JSON.stringify(bodyOf(state)), signal);
      return 'written';
    },
    close,
  };
}

/** Signed calls to one address. */
function receiverOf(options: HttpAdapterOptions) {
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
    async check(signal: AbortSignal): Promise<void> {
      // A real call would be data to the receiver. Whether it takes the signature only a real call can tell:
      // many gateways answer 401, 403 or 404 to a method they do not know.
      const { status } = await client.exchange({ method: 'HEAD', url, headers: sign('check', '') }, signal);
      if (GATEWAY_STATUSES.has(status)) throw errorOfStatus(status, undefined);
    },
    async post(id: string, body: string, signal: AbortSignal): Promise<void> {
      const headers = { 'content-type': 'application/json', ...sign(id, body) };
      await client.call({ method: 'POST', url, headers, body }, signal);
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
  return `state_${digestOf(JSON.stringify(parts))}`;
}

const digestOf = (text: string) => createHash('sha256').update(text).digest('base64url').slice(0, 32);
