import { hash } from 'node:crypto';
import { encodeRawHeaders } from '@email-events/core';
import { createPlan, createRandom, makeCredentials, signedRequests } from '@email-events/dev/simulate';
import { findAdapter, IDENTITY_VERSION } from '@email-events/esps';

/** A record of email.raw. */
export interface RawMessage {
  readonly value: Buffer;
  readonly headers: { readonly [name: string]: Buffer };
}

export interface BatchLoad {
  /** Events of a request. */
  readonly batch: number;
  /** Requests that come a second time, as a share of all. */
  readonly duplicates: number;
  /** Of these, the share that repeats any request since the beginning; the others repeat the one before. */
  readonly far: number;
}

const TYPES = ['processed', 'delivered', 'open', 'click'];
const START_SECONDS = Math.floor(Date.now() / 1_000) - 86_400;

/**
 * SendGrid's requests, each with events of messages' lives, spread over recipients. Goes on where it was, so that rounds are of one
 * history: what is repeated far may have come in any round before.
 */
export class BatchRequests {
  distinct = 0;
  private readonly load: BatchLoad;
  private readonly firstEvent: number;
  private readonly random = createRandom(16);
  private made = 0;
  private since = 0;
  private owed = 0;

  /** Events are numbered from there on: two histories that are to have none in common begin far from each other. */
  constructor(load: BatchLoad, firstEvent = 0) {
    this.load = load;
    this.firstEvent = firstEvent;
  }

  /** What comes next repeats nothing of what came before: another program has not seen it. */
  beginAnew(): void {
    this.since = this.made;
  }

  /** As many requests as have so many events. */
  *take(events: number): Generator<RawMessage> {
    const { batch, duplicates, far } = this.load;
    for (let taken = 0; taken < events; taken += batch) {
      this.owed += duplicates;
      const repeats = this.made > this.since && this.owed >= 1;
      if (repeats) {
        this.owed--;
        const back = this.random.chance(far) ? this.random.int(1, this.made - this.since) : 1;
        yield this.request(this.made - back);
      } else {
        this.distinct += batch;
        yield this.request(this.made++);
      }
    }
  }

  private request(number: number): RawMessage {
    const { batch } = this.load;
    return requestOf(this.firstEvent + number * batch, batch);
  }
}

function requestOf(firstEvent: number, batch: number): RawMessage {
  const events = Array.from({ length: batch }, (_, i) => eventOf(firstEvent + i));
  return messageOf({
    esp: 'sendgrid',
    body: Buffer.from(JSON.stringify(events)),
    url: '/webhooks/email-events/sendgrid',
    contentType: 'application/json',
    headers: {},
  });
}

/** The same number gives the same event. */
function eventOf(n: number) {
  const message = Math.floor(n / TYPES.length);
  return {
    email: `recipient${message % 50_000}@mail${message % 20}.example`,
    timestamp: START_SECONDS + (n % 80_000),
    'smtp-id': `<${message}@sender.example>`,
    event: TYPES[n % TYPES.length],
    category: ['newsletter', 'autumn'],
    sg_event_id: hash('sha1', String(n), 'base64url'),
    sg_message_id: `${message}.filter0001.16648.5515E0B88.0`,
    useragent: 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36',
    ip: '203.0.113.7',
    url: 'https://shop.example/autumn?utm_source=mail',
    response: '250 OK',
    campaign: 'autumn-sale',
    order: 'A-77312',
  };
}

/** Requests that may be repeated long after: so many, any of those before with the same chance. */
const KEPT = 2_000;

/**
 * What all simulated ESPs send of mailings: bounces, complaints, unsubscribes, with one event a request or many, as each does. Repeated are
 * requests of the last minutes, and (`far`: their share of the repeated ones) any since the beginning.
 */
export async function* mixedRequests(
  events: number,
  { duplicates, far }: Pick<BatchLoad, 'duplicates' | 'far'>,
): AsyncGenerator<RawMessage> {
  const startTime = Date.now() - 7 * 3_600_000;
  const near = duplicates * (1 - far);
  const plan = createPlan({ seed: 16, events, startTime, runId: 'bench', duplicates: near, invalid: 0 });
  const credentials = await makeCredentials();
  const random = createRandom(17);
  const kept: RawMessage[] = [];
  let made = 0;
  for (const { planned, wire } of signedRequests(plan, { credentials, now: Date.now })) {
    const keep = new Set<string>(findAdapter(planned.esp)?.http.keepHeaders ?? []);
    const headers = Object.entries(wire.headers).filter(([name]) => keep.has(name.toLowerCase()));
    const message = messageOf({
      esp: planned.esp,
      body: wire.body,
      url: wire.path,
      contentType: wire.headers['content-type'] ?? null,
      headers: Object.fromEntries(headers),
    });
    yield message;
    made++;
    const place = kept.length < KEPT ? kept.length : random.int(0, made - 1);
    if (place < KEPT) kept[place] = message;
    if (random.chance(duplicates * far)) yield random.pick(kept);
  }
}

interface Posted {
  readonly esp: string;
  readonly body: Buffer;
  readonly url: string;
  readonly contentType: string | null;
  readonly headers: { readonly [name: string]: string };
}

function messageOf({ esp, body, url, contentType, headers }: Posted): RawMessage {
  return {
    value: body,
    headers: encodeRawHeaders({
      requestId: crypto.randomUUID(),
      ...{ source: esp, esp, identityVersion: IDENTITY_VERSION, receivedAt: Date.now(), method: 'POST' },
      ...{ url, contentType, remoteAddress: '127.0.0.1', headers },
    }),
  };
}
