import { statSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { Random, WireRequest } from '@email-events/dev/simulate';
import { type Account, pathOf } from './account.ts';
import { contentTypeOf } from './attacks/unsigned.ts';
import type { Client, Reply } from './client.ts';
import { ALL_ESPS, rawDraft } from './story.ts';

/** What came of a flood of requests that nobody signed. */
export interface FloodFound {
  readonly sent: number;
  /** Bodies and lines. */
  readonly bytesSent: number;
  /** Answered with 2xx. */
  readonly accepted: number;
  /** By which the ingress's log grew. */
  readonly bytesLogged: number;
  readonly seconds: number;
  /** Answers to honest requests meanwhile. */
  readonly honest: readonly CalmReply[];
}

/** An honest event, and how its request was answered. */
export interface CalmReply extends Reply {
  readonly source: string;
  readonly id: string;
}

export interface FloodOptions {
  readonly logFile: string;
  readonly client: Client;
  /** On connections of its own. */
  readonly honestClient: Client;
  readonly shop: Account;
  readonly runId: string;
  readonly seconds: number;
  /** Connections of the flood. */
  readonly connections: number;
  readonly random: Random;
  readonly signal: AbortSignal;
}

const HONEST_MS = 200;

/** As many requests as one process can send, none of them signed, some with a key of their own; and a genuine one now and then. */
export async function flood(options: FloodOptions): Promise<FloodFound> {
  const { logFile, client, seconds, connections, signal } = options;
  const before = statSync(logFile).size;
  const begin = performance.now();
  const enough = AbortSignal.any([signal, AbortSignal.timeout(seconds * 1_000)]);
  const sum = { sent: 0, bytesSent: 0, accepted: 0 };
  const lane = async (number: number) => {
    for (let n = number; !enough.aborted; n += connections) {
      const request = unsignedRequest(n);
      const { status } = await client.send(request);
      sum.sent++;
      sum.bytesSent += request.body.length + request.path.length;
      if (status >= 200 && status < 300) sum.accepted++;
    }
  };
  const honest = sendHonest(options, enough);
  await Promise.all(Array.from({ length: connections }, (_, i) => lane(i)));
  const replies = await honest;
  return {
    ...sum,
    seconds: (performance.now() - begin) / 1_000,
    bytesLogged: statSync(logFile).size - before,
    honest: replies,
  };
}

/** Small, so that there are many: each of an ESP, each another. */
function unsignedRequest(number: number): WireRequest {
  const esp = ALL_ESPS[number % ALL_ESPS.length] ?? 'sendgrid';
  const body = Buffer.from(
    `[{"event":"delivered","email":"flood${number}@example.com","sg_event_id":"${number}"}]`,
  );
  const headers = { 'content-type': contentTypeOf(esp), authorization: `Basic ${number}` };
  if (esp === 'elasticemail')
    return {
      method: 'GET',
      path: pathOf(esp, `?status=Sent&n=${number}`),
      headers: {},
      body: Buffer.alloc(0),
    };
  return { method: 'POST', path: pathOf(esp), headers, body };
}

async function sendHonest(
  { shop, honestClient, runId }: FloodOptions,
  enough: AbortSignal,
): Promise<CalmReply[]> {
  const replies: CalmReply[] = [];
  const source = shop.sourceOf('standard-webhooks');
  for (let n = 0; !enough.aborted; n++) {
    const id = `calm-${n}`;
    const event = {
      ...{ id, type: 'delivered', occurred_at: new Date().toISOString() },
      recipient: `calm${n}.${runId}@example.com`,
    };
    const draft = rawDraft('standard-webhooks', JSON.stringify(event), `msg_calm_${runId}_${n}`);
    const reply = await honestClient.send(shop.request('standard-webhooks', draft));
    replies.push({ ...reply, source, id });
    await delay(HONEST_MS, undefined, { signal: enough }).catch(() => {});
  }
  return replies;
}
