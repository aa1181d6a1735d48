import type { ServerResponse } from 'node:http';
import type { HttpFacts } from '@email-events/esps';
import type { AnswerKind } from './codes.ts';

/** The answer to a sender says enough to find the log line, and nothing that helps to guess. */
export interface Answer {
  readonly status: number;
  readonly error: string;
  readonly headers: readonly string[];
}

const STATUSES: { readonly [K in Exclude<AnswerKind, 'later' | 'unauthorized' | 'none'>]: number } = {
  'bad-request': 400,
  forbidden: 403,
  'not-found': 404,
  'method-not-allowed': 405,
  timeout: 408,
  'too-large': 413,
  unsupported: 415,
  'over-rate': 429,
  'headers-too-large': 431,
};
const LATER_SECONDS = 5;
const DEFAULTS: HttpFacts['answers'] = { later: 503, unauthorized: 401 };

/** The answer in the words of this ESP. Without an ESP (the source is not known yet), in HTTP's own. */
export function answerFor(
  kind: AnswerKind,
  http: HttpFacts | undefined,
  retryAfterSeconds = LATER_SECONDS,
): Answer {
  const { later, unauthorized, challenge } = http?.answers ?? DEFAULTS;
  const retryAfter = ['retry-after', String(Math.max(1, Math.ceil(retryAfterSeconds)))];
  switch (kind) {
    case 'later':
    case 'none':
      return { status: later, error: 'later', headers: retryAfter };
    case 'over-rate':
      return { status: http?.answers.overRate ?? 429, error: kind, headers: retryAfter };
    case 'unauthorized':
      return {
        status: unauthorized,
        error: kind,
        headers: unauthorized === 401 && challenge !== undefined ? ['www-authenticate', challenge] : [],
      };
    case 'method-not-allowed':
      return { status: 405, error: kind, headers: ['allow', allowed(http)] };
    default:
      return { status: STATUSES[kind], error: kind, headers: [] };
  }
}

export const JSON_TYPE = 'application/json';

export function errorBody(error: string, requestId: string): string {
  return JSON.stringify({ error, requestId });
}

/** 200 without a body; several ESPs count nothing else as success. */
export function accept(response: ServerResponse, requestId: string, lastOne: boolean): void {
  if (lastOne) response.shouldKeepAlive = false;
  response.writeHead(200, ['x-request-id', requestId, 'content-length', '0']);
  response.end();
}

/** `lastOne`: the connection is of no more use, because the rest of the body is not read or the service stops. */
export function refuse(response: ServerResponse, answer: Answer, requestId: string, lastOne: boolean): void {
  const body = errorBody(answer.error, requestId);
  if (lastOne) response.shouldKeepAlive = false;
  response.writeHead(answer.status, [
    'x-request-id',
    requestId,
    'content-type',
    JSON_TYPE,
    'content-length',
    String(Buffer.byteLength(body)),
    ...answer.headers,
  ]);
  response.end(body);
}

function allowed(http: HttpFacts | undefined): string {
  return [...new Set([...(http?.methods ?? ['POST']), ...(http?.probes ?? [])])].join(', ');
}
