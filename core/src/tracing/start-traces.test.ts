import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { afterEach, expect, test } from 'vitest';
import type { Logger } from '../telemetry.ts';
import { startTraces } from './start-traces.ts';
import { MOST_TRACES, NO_TRACES, TRACES_HEADER, traceOf, tracesHeader, tracesOf } from './traces.ts';

interface Told {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly links?: readonly { readonly traceId: string; readonly spanId: string }[];
  readonly attributes?: readonly { readonly key: string; readonly value: unknown }[];
  readonly status?: { readonly code?: number };
}

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

/** A collector (OTLP over HTTP, JSON), and traces that are sent to it when they are closed. */
async function collected({ status = 200, sample = 1 } = {}) {
  const spans: Told[] = [];
  const server = createServer(async (request, response) => {
    const { resourceSpans } = (await json(request)) as {
      resourceSpans: { scopeSpans: { spans: Told[] }[] }[];
    };
    for (const { scopeSpans } of resourceSpans) for (const { spans: own } of scopeSpans) spans.push(...own);
    response.writeHead(status, { 'content-type': 'application/json' }).end('{}');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(() => server.close().closeAllConnections());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/traces`;
  const lines: object[] = [];
  const log = { warn: (fields: object) => void lines.push(fields) } as unknown as Logger;
  const traces = await startTraces({ url, sample, flushMs: 60_000 }, 'ingress', log);
  return { traces, spans, lines };
}

test('without the section there are none, and nothing of the SDK is asked', async () => {
  expect(await startTraces(undefined, 'ingress', {} as Logger)).toBe(NO_TRACES);
  expect(NO_TRACES.begin('webhook', 0)).toBeUndefined();
  expect(NO_TRACES.join('normalize', ['x'])).toBeUndefined();
});

test('a request’s trace goes on from stage to stage, and is linked to those that it shared work with', async () => {
  const { traces, spans } = await collected();
  const webhooks = [1, 2].map((index) => traces.begin('webhook', Date.now() - index));
  const contexts = webhooks.map((webhook) => webhook?.handOn() ?? '');
  webhooks[0]?.end({ 'email_events.source': 'main' });
  webhooks[1]?.end({ 'email_events.source': 'main' }, 'KAFKA_UNREACHABLE');
  const shared = traces.join('normalize', [...contexts, 'not a context', `${contexts[0]}`]);
  const on = shared?.handOn(contexts[0]);
  expect(shared?.handOn('00-of-another')).toBeUndefined();
  traces.join('events', [on ?? ''])?.end({});
  shared?.end({ 'messaging.batch.message_count': 2 });
  // One that is never ended is never told: its transaction came to nothing.
  traces.join('normalize', contexts);
  await traces.close();
  const named = (name: string) => spans.filter((span) => span.name === name);
  const [first, second] = named('webhook');
  const [one, two] = named('normalize');
  expect(spans).toHaveLength(5);
  expect(contexts).toEqual([first, second].map((span) => `00-${span?.traceId}-${span?.spanId}-01`));
  expect([one?.traceId, one?.parentSpanId]).toEqual([first?.traceId, first?.spanId]);
  expect([two?.traceId, two?.parentSpanId]).toEqual([second?.traceId, second?.spanId]);
  expect(one?.links?.map(({ spanId }) => spanId)).toEqual([second?.spanId]);
  expect(named('events')).toMatchObject([{ traceId: first?.traceId, parentSpanId: one?.spanId }]);
  expect(second?.status?.code).toBe(2);
  expect(second?.attributes).toContainEqual({
    key: 'error.type',
    value: { stringValue: 'KAFKA_UNREACHABLE' },
  });
});

test('so many are sampled as is configured, and what is not sampled is handed on by nobody', async () => {
  const { traces } = await collected({ sample: 0 });
  expect(traces.begin('webhook', Date.now())).toBeUndefined();
  expect(
    traces.join('normalize', ['', '00-0-0-01', `00-${'a'.repeat(32)}-${'b'.repeat(16)}-00`]),
  ).toBeUndefined();
  const many = Array.from(
    { length: 100 },
    (_, i) => `00-${String(i + 1).padStart(32, 'a')}-${'b'.repeat(16)}-01`,
  );
  const spans = traces.join('normalize', many);
  expect(many.filter((context) => spans?.handOn(context))).toHaveLength(MOST_TRACES);
});

test('a collector that refuses costs the spans and one line, and no stop', async () => {
  const { traces, lines } = await collected({ status: 400 });
  traces.begin('webhook', Date.now())?.end({});
  await traces.close();
  expect(lines).toEqual([{ code: 'TRACES_NOT_SENT' }]);
});

test('contexts are in headers: one of a request, several by request', () => {
  const several = new Map(Array.from({ length: 40 }, (_, i) => [`request-${i}`, `context-${i}`]));
  const headers = tracesHeader(several);
  expect([...tracesOf({ headers })]).toEqual([...several].slice(0, MOST_TRACES));
  expect(tracesHeader(new Map())).toEqual({});
  for (const text of ['', '{', '[]', 'null', '{"a":1}'])
    expect(tracesOf({ headers: { [TRACES_HEADER]: Buffer.from(text) } }).size).toBe(0);
  expect(traceOf({ headers: {} })).toBeUndefined();
});
