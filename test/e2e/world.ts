import { encodeRawHeaders, type RawRequest } from '@email-events/core';
import { startEvents, startNormalize } from '@email-events/processors';
import { startClickHouseSink } from '@email-events/sink-clickhouse';
import { type Message, type Pipeline, startPipeline } from '../harness/pipeline.ts';
import { type TestScope, vacantStack } from '../harness/stack.ts';

export const SERVICES = [startNormalize, startEvents, startClickHouseSink] as const;

interface Settings {
  readonly normalize?: object;
  /** Further ones than ClickHouse. */
  readonly sinks?: object;
  readonly alerts?: object;
  readonly erasure?: object;
  /** None is needed: requests are put where the ingress would leave them. */
  readonly sources?: object;
}

/** A pipeline on the shared stack, for the services behind the ingress in this process and for real commands. */
export async function startWorld(scope: TestScope, { sinks, ...settings }: Settings = {}): Promise<Pipeline> {
  return startPipeline(scope, await vacantStack(scope), {
    name: 'world',
    settings: {
      topics: { partitions: 2, rawPartitions: 2 },
      ...settings,
      sinks: { ...sinks, clickhouse: { flushMs: 50 } },
    },
  });
}

let requests = 0;

/** A request as the ingress leaves it in email.raw. */
export function rawMessage(body: unknown, request: Partial<RawRequest> = {}): Message {
  requests++;
  const value = Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body));
  const headers = encodeRawHeaders({
    requestId: `0199b7a0-1111-7222-8333-${String(requests).padStart(12, '0')}`,
    source: 'main',
    esp: 'sendgrid',
    receivedAt: Date.now(),
    method: 'POST',
    url: '/webhooks/email-events/main',
    contentType: 'application/json',
    remoteAddress: null,
    headers: {},
    ...request,
  });
  return { value, headers };
}

let items = 0;

/** An item as SendGrid sends it, with a new id. */
export function sendgridItem(event: string, more: { readonly [name: string]: unknown } = {}) {
  items++;
  return {
    email: `user${items}@example.com`,
    timestamp: Math.floor(Date.now() / 1_000) - 600 + items,
    event,
    sg_event_id: `d29ybGQtZXZlbnQt${items}`,
    sg_message_id: `message${items}.filter0001.16648.5515E0B88.0`,
    ...more,
  };
}
