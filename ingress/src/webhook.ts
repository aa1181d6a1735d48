import type { IncomingMessage, ServerResponse } from 'node:http';
import { codeOf, encodeRawHeaders, type Logger, PipelineError } from '@email-events/core';
import { type EspRequest, IDENTITY_VERSION } from '@email-events/esps';
import { type AddressList, clientAddress, isLoopback } from './addresses.ts';
import { accept, answerFor, refuse } from './answers.ts';
import { checkBodyHeaders, readBody } from './body.ts';
import type { ByteBudget, Holding } from './byte-budget.ts';
import { answerKind, type LogCode, Refused } from './codes.ts';
import { type ConnectionEnd, MAX_HEADERS } from './http-server.ts';
import type { IngressMetrics } from './ingress-metrics.ts';
import type { Publisher } from './publisher.ts';
import { rawUrl } from './raw-url.ts';
import { newRequestId } from './request-id.ts';
import type { Source, Sources } from './sources.ts';
import type { Verification } from './verification.ts';

export interface WebhookContext {
  /** Replaced as a whole when the configuration is read again. */
  sources: Sources;
  /** True from the moment the service stops. */
  draining: boolean;
  readonly publisher: Publisher;
  readonly verification: Verification;
  readonly budget: ByteBudget;
  readonly metrics: IngressMetrics;
  readonly trustedProxies: AddressList;
  /** HTTPS is somebody else's work: whoever comes from elsewhere must come through a trusted proxy. */
  readonly behindProxy: boolean;
  readonly log: Logger;
  /** Epoch milliseconds. */
  readonly clock: () => number;
  /** How the server gave up the connection of a request, if it did (see HttpServer). */
  readonly endOf: (request: IncomingMessage) => ConnectionEnd | undefined;
}

/** One request on its way through. */
interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly requestId: string;
  readonly startedAt: number;
  source: Source | undefined;
  /** Its part of the budget. */
  holding: Holding | undefined;
}

/** What a request costs besides its body. */
const REQUEST_BYTES = 2_048;
const LONGEST_KEPT_HEADER = 1_024;
const SOURCE_NAME = /^[a-z0-9][a-z0-9-]{0,62}$/;

/**
 * One request: known source? → allowed sender? → body → genuine? → durable? → 200.
 * Whatever stands in the way is a Refused; it is answered in one place. Never throws.
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
    const sender = admit(context, source, request);
    if (isProbe(source, request.method)) return succeed(context, exchange, 'PROBE');
    await receive(context, exchange, source, sender);
  } catch (error) {
    refuseExchange(context, exchange, error, name);
  } finally {
    exchange.holding?.release();
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
    holding: undefined,
  };
}

/** All that can be judged before a body is read. Returns the sender's address. */
function admit(context: WebhookContext, source: Source, request: IncomingMessage): string | undefined {
  // Node hands over no more of them than that: what a proxy added at the end could be missing.
  if (request.rawHeaders.length > 2 * MAX_HEADERS) throw new Refused('INGRESS_HEADERS_TOO_LARGE');
  const { methods, probes } = source.adapter.http;
  const { method = '' } = request;
  const carries = (methods as readonly string[]).includes(method);
  if (!carries && !(probes as readonly string[]).includes(method))
    throw new Refused('INGRESS_METHOD_NOT_ALLOWED');
  const { headers, socket } = request;
  const peer = socket.remoteAddress;
  if (context.behindProxy && !cameByHttps(context.trustedProxies, peer, headers['x-forwarded-proto'])) {
    throw new Refused('INGRESS_PLAIN_HTTP');
  }
  const forwardedFor = headers['x-forwarded-for'];
  const sender = clientAddress(
    peer,
    Array.isArray(forwardedFor) ? forwardedFor.join(',') : forwardedFor,
    context.trustedProxies,
  );
  if (source.allow && !source.allow.contains(sender)) throw new Refused('INGRESS_ADDRESS_NOT_ALLOWED');
  const wait = source.bucket?.wait(performance.now()) ?? 0;
  if (wait > 0) throw new Refused('INGRESS_OVER_RATE', { retryAfterSeconds: wait });
  if (method !== 'GET' && carries)
    checkBodyHeaders(request, source.adapter.http.contentTypes, source.maxBodyBytes);
  return sender;
}

async function receive(
  context: WebhookContext,
  exchange: Exchange,
  source: Source,
  sender: string | undefined,
): Promise<void> {
  const { request } = exchange;
  const holding = context.budget.hold();
  exchange.holding = holding;
  if (!holding.take(REQUEST_BYTES)) throw new Refused('INGRESS_OVERLOADED');
  const body = await readBody(request, source.maxBodyBytes, holding);
  const espRequest: EspRequest = {
    method: request.method ?? 'POST',
    url: request.url ?? '/',
    headers: request.headers as EspRequest['headers'],
    body,
    receivedAt: context.clock(),
  };
  const verified = context.verification.verify(source, espRequest);
  const handshake = verified instanceof Promise ? await verified : verified;
  // Only what is genuine counts, else anybody could use up the source's rate.
  source.bucket?.take(performance.now());
  if (handshake) {
    await context.verification.complete(handshake);
    context.log.info({ source: source.name, requestId: exchange.requestId }, handshake.note);
    return succeed(context, exchange, 'HANDSHAKE');
  }
  const keeper = await context.publisher.publish({
    value: body,
    headers: encodeRawHeaders(rawRequest(espRequest, exchange.requestId, source, sender)),
  });
  const seconds = (performance.now() - exchange.startedAt) / 1_000;
  context.metrics.accepted(source.name, body.length, seconds, keeper);
  succeed(context, exchange, 'OK');
}

function rawRequest(request: EspRequest, requestId: string, source: Source, sender: string | undefined) {
  const { method, url, headers, receivedAt } = request;
  const kept: { [name: string]: string } = {};
  for (const name of source.keepHeaders) {
    const value = headers[name];
    if (value !== undefined) kept[name] = value.slice(0, LONGEST_KEPT_HEADER);
  }
  return {
    requestId,
    source: source.name,
    esp: source.adapter.name,
    account: source.account,
    identityVersion: IDENTITY_VERSION,
    receivedAt,
    method,
    url: rawUrl(url, source.urlSecrets.parameter, source.urlSecrets.values),
    contentType: headers['content-type'] ?? null,
    remoteAddress: sender ?? null,
    headers: kept,
  };
}

function succeed(context: WebhookContext, exchange: Exchange, code: 'OK' | 'HANDSHAKE' | 'PROBE'): void {
  accept(exchange.response, exchange.requestId, context.draining);
  context.metrics.answered(exchange.source?.name, 200, code);
}

/** The one place that turns a failure into an answer, a count and a log line. */
function refuseExchange(context: WebhookContext, exchange: Exchange, error: unknown, name?: string): void {
  const { source } = exchange;
  const end = context.endOf(exchange.request);
  const code = end?.code ?? codeOfRefusal(error);
  const status = end?.status ?? answerRefusal(context, exchange, code, error);
  context.metrics.answered(source?.name, status, code);
  const line = {
    code,
    status,
    source: source?.name ?? (name !== undefined && SOURCE_NAME.test(name) ? name : undefined),
    esp: source?.adapter.name,
    requestId: end?.requestId ?? exchange.requestId,
  };
  if (code !== 'INGRESS_UNEXPECTED') context.log.warn(line, 'not accepted');
  else context.log.error({ ...line, cause: codeOf(error), stack: framesOf(error) }, 'not accepted');
}

/** Returns the status that was sent; 0 if nobody is there any more. */
function answerRefusal(context: WebhookContext, exchange: Exchange, code: LogCode, error: unknown): number {
  const { request, response, requestId, source } = exchange;
  const kind = answerKind(code);
  if (kind === 'none' || response.headersSent || response.destroyed) {
    request.destroy();
    return 0;
  }
  const wait = error instanceof Refused ? error.retryAfterSeconds : undefined;
  const answer = answerFor(kind, source?.adapter.http, wait);
  refuse(response, answer, requestId, context.draining || !request.complete);
  return answer.status;
}

function codeOfRefusal(error: unknown): LogCode {
  return error instanceof Refused || error instanceof PipelineError ? error.code : 'INGRESS_UNEXPECTED';
}

/** Where it happened, without the message: that could quote a payload. */
function framesOf(error: unknown): string[] {
  if (!(error instanceof Error)) return [];
  return (error.stack ?? '')
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
    .map((line) => line.trim());
}

function isProbe({ adapter }: Source, method: string | undefined): boolean {
  return !(adapter.http.methods as readonly string[]).includes(method ?? '');
}

function cameByHttps(
  trusted: AddressList,
  peer: string | undefined,
  forwardedProto: string | string[] | undefined,
): boolean {
  if (!trusted.contains(peer)) return isLoopback(peer);
  // The last entry is the one that our own proxy wrote.
  const protocols = String(forwardedProto ?? '').split(',');
  return protocols.at(-1)?.trim().toLowerCase() === 'https';
}
