import type { IncomingMessage } from 'node:http';
import { codeOf, PipelineError } from '@email-events/core';
import { networkOf } from './addresses.ts';
import { answerFor, refuse } from './answers.ts';
import { answerKind, type LogCode, type LogFields, Refused } from './codes.ts';
import { bytesOf, type Exchange, type WebhookContext } from './exchange.ts';

const SOURCE_NAME = /^[a-z0-9][a-z0-9-]{0,62}$/;
/** Secrets that a line names one by one. */
const NAMED_SECRETS = 8;

/** Counts a request that proved nothing. A promise: its answer must wait, since it was one of many wrong guesses. */
export function countFailure(
  context: WebhookContext,
  { source, sender, response }: Exchange,
  error: unknown,
): Promise<void> | undefined {
  const code = codeOfRefusal(error);
  if (!source || !isFailure(code)) return undefined;
  const network = networkOf(sender);
  context.failures.failed(source.name, network);
  if (code !== 'CREDENTIALS_WRONG' || !context.failures.isExhausted(source.name, network)) return undefined;
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  return context.failures.slowDown(source.name, network, gone.signal);
}

/** It was looked at as a whole, and is not genuine as far as can be seen. */
function isFailure(code: LogCode): boolean {
  const kind = answerKind(code);
  return kind === 'unauthorized' || code === 'BODY_UNREADABLE' || code === 'INGRESS_DOCUMENT_UNAVAILABLE';
}

/** Of a source with a quarantine, after the answer. A token that was used by another body is no matter of a secret. */
export function keepUnverified(
  { quarantine }: WebhookContext,
  { source, sender, requestId, unverified: request }: Exchange,
  error: unknown,
): void {
  const code = codeOfRefusal(error);
  if (!request || !source || answerKind(code) !== 'unauthorized' || code === 'TOKEN_REPLAYED') return;
  quarantine.keep({ requestId, source: source.name, code, sender: sender ?? null, request });
}

/** The one place that turns a failure into an answer, a count and a log line. */
export function refuseExchange(
  context: WebhookContext,
  exchange: Exchange,
  error: unknown,
  name?: string,
): void {
  const { source } = exchange;
  const end = context.endOf(exchange.request);
  const code = end?.code ?? codeOfRefusal(error);
  const status = end?.status ?? answerRefusal(context, exchange, code, error);
  context.metrics.answered(source?.name, status, code);
  const unexpected = code === 'INGRESS_UNEXPECTED';
  context.refusals.refused({
    level: unexpected ? 'error' : 'warn',
    code,
    source: source?.name,
    network: networkOf(exchange.sender ?? exchange.request.socket.remoteAddress),
    bytes: bytesOf(exchange),
    fields: {
      // Anybody may make one up, so it is told and nothing is counted by it.
      ...(!source && name !== undefined && SOURCE_NAME.test(name) ? { source: name } : {}),
      status,
      esp: source?.adapter.name,
      requestId: end?.requestId ?? exchange.requestId,
      ...(error instanceof Refused ? error.fields : {}),
      ...(isFailure(code) ? hints(context, exchange, error) : {}),
      ...(unexpected ? { cause: codeOf(error), stack: framesOf(error) } : {}),
    },
  });
}

/** Returns the status that was sent; 0 if the connection is gone. */
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

/** Helps the operator whose genuine requests are refused: never a secret, only the numbers of those that were tried. */
function hints(context: WebhookContext, { source, request, bodyBytes }: Exchange, error: unknown): LogFields {
  const signedAt = error instanceof Refused ? error.signedAt : undefined;
  const tried = Math.min(source?.secretCount ?? 0, NAMED_SECRETS);
  return {
    bodyBytes,
    contentType: mediaTypeOf(request),
    ...(tried > 0 ? { secretsTried: Array.from({ length: tried }, (_, i) => i + 1) } : {}),
    ...(signedAt === undefined ? {} : { skewSeconds: Math.round((signedAt - context.clock()) / 1_000) }),
  };
}

/** A content type without what the sender may write behind it. */
function mediaTypeOf({ headers }: IncomingMessage): string | undefined {
  return /^[a-z0-9.+-]{1,40}\/[a-z0-9.+-]{1,60}/i.exec(headers['content-type'] ?? '')?.[0];
}

/** The headers that the proxy should have added and did not, and those that it added instead. */
export function proxyFields({ proxyHeaders }: WebhookContext, { headers }: IncomingMessage): LogFields {
  const there = ['x-forwarded-for', 'x-forwarded-proto', 'forwarded'].filter(
    (name) => headers[name] !== undefined,
  );
  const wanted = proxyHeaders === 'forwarded' || (proxyHeaders === 'any' && there[0] === 'forwarded');
  const names = wanted ? ['forwarded'] : ['x-forwarded-proto', 'x-forwarded-for'];
  return { missingHeaders: names.filter((name) => !there.includes(name)), proxyHeaders: there };
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
