import { once } from 'node:events';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { setImmediate as turn } from 'node:timers/promises';
import { codeOf, type Logger } from '@email-events/core';
import { type BytesUnderWay, withBody } from './body.ts';
import { type Call, callOfBody, callOfQuery, Refused } from './call.ts';
import type { LookupMetrics } from './metrics.ts';
import { type Answer, answerOf } from './question.ts';
import type { Freshness } from './reader.ts';
import type { RefusalLog } from './refusal-log.ts';
import type { SuppressionState } from './state.ts';
import type { Tokens } from './tokens.ts';

export interface LookupContext {
  /** Replaced when the configuration is read again. */
  tokens: Tokens;
  readonly state: SuppressionState;
  readonly freshness: () => Freshness | undefined;
  /** Undefined: it is answered however old what is known is. */
  readonly maxAgeMs: number | undefined;
  readonly maxBodyBytes: number;
  readonly underWay: BytesUnderWay;
  readonly metrics: LookupMetrics;
  readonly refusals: RefusalLog;
  readonly log: Logger;
}

export const PATH = '/v1/may-mail';

/** Addresses that are answered before other calls get their turn. */
const TURN_ADDRESSES = 500;
const JSON_TYPE = 'application/json';

/** Answers every request, and never throws. */
export function createHandler(context: LookupContext): RequestListener {
  return (request, response) => {
    const startedAt = performance.now();
    handle(request, response, context).then(
      (method) => context.metrics.answered(method, (performance.now() - startedAt) / 1_000),
      (error) => refuse(error, request, response, context),
    );
  };
}

async function handle(
  request: IncomingMessage,
  response: ServerResponse,
  context: LookupContext,
): Promise<'GET' | 'POST'> {
  const { method, url = '', headers } = request;
  if (!context.tokens.admit(headers.authorization))
    throw new Refused(401, 'LOOKUP_UNAUTHORIZED', 'a bearer token is needed', {
      'www-authenticate': 'Bearer',
    });
  const mark = url.indexOf('?');
  const path = mark === -1 ? url : url.slice(0, mark);
  if (path !== PATH) throw new Refused(404, 'LOOKUP_NOT_FOUND', `there is ${PATH}`);
  const query = mark === -1 ? '' : url.slice(mark + 1);
  if (method === 'GET') answerOne(callOfQuery(query), response, context);
  else if (method === 'POST') {
    if (query !== '') throw new Refused(400, 'LOOKUP_REQUEST_INVALID', 'what a POST asks is in its body');
    await withBody(request, { maxBytes: context.maxBodyBytes, underWay: context.underWay }, (body) =>
      answerMany(callOfBody(body), response, context),
    );
  } else throw new Refused(405, 'LOOKUP_METHOD', 'GET or POST', { allow: 'GET, POST' });
  return method;
}

function answerOne(
  call: ReturnType<typeof callOfQuery>,
  response: ServerResponse,
  context: LookupContext,
): void {
  const freshness = freshnessFor(context);
  const answer = answerOf(context.state, call.address, call);
  count([answer], context.metrics);
  if (answer.problem !== undefined)
    throw new Refused(400, answer.problem, 'the address is none that mail can be sent to');
  end(response, 200, JSON.stringify({ ...answer, freshness }));
}

/** In the order asked. Many are answered in parts, so that a single call never waits for all of them, and no more is kept than the caller takes. */
async function answerMany(call: Call, response: ServerResponse, context: LookupContext): Promise<void> {
  const { addresses } = call;
  const freshness = freshnessFor(context);
  const head = `{"freshness":${JSON.stringify(freshness)},"answers":[`;
  if (addresses.length <= TURN_ADDRESSES) {
    end(response, 200, `${head}${textOf(addresses, call, context)}]}`);
    return;
  }
  response.writeHead(200, { 'content-type': JSON_TYPE });
  for (let start = 0; start < addresses.length; start += TURN_ADDRESSES) {
    const text = textOf(addresses.slice(start, start + TURN_ADDRESSES), call, context);
    if (!response.write(start === 0 ? head + text : `,${text}`)) await drained(response);
    if (response.destroyed) return;
    await turn();
  }
  response.end(']}');
}

function textOf(addresses: readonly string[], call: Call, { state, metrics }: LookupContext): string {
  const answers = addresses.map((address) => answerOf(state, address, call));
  count(answers, metrics);
  return answers.map((answer) => JSON.stringify(answer)).join(',');
}

async function drained(response: ServerResponse): Promise<void> {
  const over = new AbortController();
  const { signal } = over;
  try {
    await Promise.race([once(response, 'drain', { signal }), once(response, 'close', { signal })]);
  } finally {
    // Or the listener for what did not happen would stay with the response.
    over.abort();
  }
}

function count(answers: readonly Answer[], metrics: LookupMetrics): void {
  const yes = answers.filter(({ mail }) => mail).length;
  const none = answers.filter(({ problem }) => problem !== undefined).length;
  metrics.addresses('yes', yes);
  metrics.addresses('no_address', none);
  metrics.addresses('no', answers.length - yes - none);
}

interface ToldFreshness {
  /** Everything that was committed by then is in the answer. */
  readonly asOf: string;
  readonly ageMs: number;
  readonly behind: number;
}

/** Throws Refused while not all states are there, or what is known is too old. */
function freshnessFor({ state, freshness, maxAgeMs }: LookupContext): ToldFreshness {
  if (state.lacksKeys)
    throw new Refused(503, 'LOOKUP_ERASURE_KEYS_MISSING', 'erased addresses cannot be told', {
      'retry-after': '60',
    });
  const { ageMs, behind = 0 } = freshness() ?? {};
  if (ageMs === undefined)
    throw new Refused(503, 'LOOKUP_LOADING', 'the states are being read', { 'retry-after': '5' });
  if (maxAgeMs !== undefined && ageMs > maxAgeMs)
    throw new Refused(503, 'LOOKUP_STALE', 'what is known is too old', { 'retry-after': '5' });
  return { asOf: new Date(Date.now() - ageMs).toISOString(), ageMs, behind };
}

function end(
  response: ServerResponse,
  status: number,
  text: string,
  headers: { readonly [name: string]: string } = {},
): void {
  response.writeHead(status, {
    'content-type': JSON_TYPE,
    'content-length': Buffer.byteLength(text),
    ...headers,
  });
  response.end(text);
}

function refuse(
  error: unknown,
  request: IncomingMessage,
  response: ServerResponse,
  context: LookupContext,
): void {
  // A caller who has gone is told nothing.
  if (response.destroyed || request.errored !== null) return;
  if (!(error instanceof Refused)) {
    context.log.error({ code: codeOf(error), err: error }, 'a call failed');
    response.destroy();
    return;
  }
  const { status, code, message, headers } = error;
  context.metrics.refused(code);
  context.refusals.refused(code, request.socket.remoteAddress);
  const text = JSON.stringify({ code, message });
  if (request.complete) {
    end(response, status, text, headers);
    return;
  }
  // The rest of the body is not received: the connection ends when the answer is out.
  end(response, status, text, { ...headers, connection: 'close' });
}
