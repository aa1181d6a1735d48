import type { IncomingMessage, ServerResponse } from 'node:http';
import { codeOf } from '@email-events/core';
import type { EspRequest } from '@email-events/esps';
import { clientAddress, forwardingOf, isLoopback, networkOf } from './addresses.ts';
import { accept } from './answers.ts';
import { checkBodyHeaders, decodedBody, readBody } from './body.ts';
import { Refused } from './codes.ts';
import { bytesOf, type Exchange, type WebhookContext } from './exchange.ts';
import { MAX_HEADERS } from './http-server.ts';
import type { Keeper } from './publishing.ts';
import { rawHeadersOf } from './raw-headers.ts';
import { countFailure, keepUnverified, proxyFields, refuseExchange } from './refusing.ts';
import { newRequestId } from './request-id.ts';
import type { Source } from './sources.ts';

export type { WebhookContext } from './exchange.ts';

/** Bytes that a request takes besides its body. */
const REQUEST_BYTES = 2_048;

/**
 * One request: known source? → allowed sender? → body → genuine? → durable? → 200.
 * Each step that fails throws a Refused, which is answered in one place. Never throws.
 */
export async function handleWebhook(
  context: WebhookContext,
  request: IncomingMessage,
  response: ServerResponse,
  name: string,
): Promise<void> {
  const exchange = begin(request, response);
  try {
    const source = context.sources.get(name);
    if (!source) throw new Refused('INGRESS_SOURCE_UNKNOWN');
    exchange.source = source;
    admit(context, exchange, source);
    if (isProbe(source, request.method)) return succeed(context, exchange, 'PROBE');
    await receive(context, exchange, source);
  } catch (error) {
    exchange.holding?.release();
    const late = countFailure(context, exchange, error);
    keepUnverified(context, exchange, error);
    // Neither who waits for an answer nor an idle connection, which keeps its last exchange, must keep a body.
    exchange.unverified = undefined;
    // At once, if it need not wait: a request of which the rest is on its way must not be read to its end.
    if (late) await late;
    refuseExchange(context, exchange, error, name);
  } finally {
    exchange.holding?.release();
    exchange.unverified = undefined;
  }
}

/** A request for none of our paths, or one that Express could not read. */
export function refuseRequest(
  context: WebhookContext,
  request: IncomingMessage,
  response: ServerResponse,
  error: unknown,
): void {
  refuseExchange(context, begin(request, response), error);
}

function begin(request: IncomingMessage, response: ServerResponse): Exchange {
  return {
    request,
    response,
    requestId: newRequestId(),
    startedAt: performance.now(),
    source: undefined,
    sender: undefined,
    bodyBytes: undefined,
    holding: undefined,
    unverified: undefined,
  };
}

/** All that can be judged before a body is read. */
function admit(context: WebhookContext, exchange: Exchange, source: Source): void {
  const { request } = exchange;
  const { headers, socket } = request;
  const peer = socket.remoteAddress;
  const throughProxy = context.trustedProxies.contains(peer);
  const forwarding = throughProxy ? forwardingOf(headers, context.proxyHeaders) : undefined;
  exchange.sender = clientAddress(peer, forwarding?.chain, context.trustedProxies);
  // Node hands over no more of them than that: what a proxy added at the end could be missing.
  if (request.rawHeaders.length > 2 * MAX_HEADERS) throw new Refused('INGRESS_HEADERS_TOO_LARGE');
  const { methods, probes } = source.adapter.http;
  const { method = '' } = request;
  const carries = (methods as readonly string[]).includes(method);
  if (!carries && !(probes as readonly string[]).includes(method))
    throw new Refused('INGRESS_METHOD_NOT_ALLOWED');
  const byHttps = () => (throughProxy ? forwarding?.protocol === 'https' : isLoopback(peer));
  if (context.behindProxy && !byHttps()) {
    throw new Refused('INGRESS_PLAIN_HTTP', { fields: proxyFields(context, request) });
  }
  if (source.allow && !source.allow.contains(exchange.sender)) {
    const fields = throughProxy && forwarding?.chain === undefined ? proxyFields(context, request) : {};
    throw new Refused('INGRESS_ADDRESS_NOT_ALLOWED', { fields });
  }
  const wait = source.bucket?.wait(performance.now()) ?? 0;
  if (wait > 0) throw new Refused('INGRESS_OVER_RATE', { retryAfterSeconds: wait });
  requireShare(context, source);
  if (method !== 'GET' && carries) checkBodyHeaders(request, source.adapter.http, source.maxBodyBytes);
}

async function receive(context: WebhookContext, exchange: Exchange, source: Source): Promise<void> {
  const { request } = exchange;
  const holding = context.budget.hold();
  exchange.holding = holding;
  if (!holding.take(REQUEST_BYTES)) throw new Refused('INGRESS_OVERLOADED');
  const received = await readBody(request, source.maxBodyBytes, holding);
  exchange.bodyBytes = received.length;
  const encoding = request.headers['content-encoding'];
  const { http } = source.adapter;
  const decoded = decodedBody(received, encoding, http, source.maxBodyBytes, holding);
  const body = decoded instanceof Promise ? await decoded : decoded;
  const espRequest: EspRequest = {
    method: request.method ?? 'POST',
    url: request.url ?? '/',
    headers: request.headers as EspRequest['headers'],
    body,
    receivedAt: context.clock(),
  };
  if (source.quarantine) exchange.unverified = espRequest;
  // A request that cannot be told from a genuine one yet may cost a fetch; a sender that failed often gets none.
  const mayFetch = () => !context.failures.isExhausted(source.name, networkOf(exchange.sender));
  const proof = context.verification.verify(source, espRequest, mayFetch);
  const { handshake, tokenDigest } = proof instanceof Promise ? await proof : proof;
  // Only what is genuine counts, else anybody could use up the source's rate.
  source.bucket?.take(performance.now());
  if (handshake) {
    await context.verification.complete(handshake);
    const fields = { source: source.name, requestId: exchange.requestId };
    // Some are signed with a key that everybody has.
    context.refusals.noted(bytesOf(exchange), fields, handshake.note);
    return succeed(context, exchange, 'HANDSHAKE');
  }
  // Again: many may have come at the same time, each when there was room for one.
  requireShare(context, source);
  const { rateShare } = context;
  rateShare.took(accountOf(source), body.length, performance.now());
  const spans = context.traces.begin('webhook', performance.timeOrigin + exchange.startedAt);
  const known = { requestId: exchange.requestId, sender: exchange.sender, tokenDigest };
  let keeper: Keeper;
  try {
    keeper = await context.publisher.publish({
      value: body,
      headers: rawHeadersOf(source, espRequest, known, spans?.handOn()),
      ...context.placement.of(source.name, body.length, tokenDigest),
    });
  } catch (error) {
    rateShare.took(accountOf(source), -body.length, performance.now());
    spans?.end(attributesOf(exchange, source), codeOf(error));
    throw error;
  }
  spans?.end({ ...attributesOf(exchange, source), 'email_events.keeper': keeper });
  const seconds = (performance.now() - exchange.startedAt) / 1_000;
  context.metrics.accepted(source.name, body.length, seconds, keeper);
  succeed(context, exchange, 'OK');
}

const attributesOf = ({ requestId, bodyBytes = 0 }: Exchange, { name, adapter }: Source) => ({
  ...{ 'email_events.source': name, 'email_events.esp': adapter.name, 'email_events.request_id': requestId },
  'http.request.body.size': bodyBytes,
});

function succeed(context: WebhookContext, exchange: Exchange, code: 'OK' | 'HANDSHAKE' | 'PROBE'): void {
  accept(exchange.response, exchange.requestId, context.draining);
  context.metrics.answered(exchange.source?.name, 200, code);
}

function requireShare({ rateShare }: WebhookContext, source: Source): void {
  const wait = rateShare.wait(accountOf(source), performance.now());
  if (wait > 0) throw new Refused('INGRESS_OVER_SHARE', { retryAfterSeconds: wait });
}

/** Sources of one account at an ESP have one share: they are one sender. The same name at another ESP is another. */
function accountOf({ adapter, account }: Source): string {
  return `${adapter.name}/${account ?? ''}`;
}

function isProbe({ adapter }: Source, method: string | undefined): boolean {
  return !(adapter.http.methods as readonly string[]).includes(method ?? '');
}
