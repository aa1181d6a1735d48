import { findAdapter } from '@email-events/esps';
import { Pool } from 'undici';
import type { SimulatedEsp } from './credentials.ts';
import { Pace, pause } from './pace.ts';
import type { Plan } from './plan.ts';
import type { PlannedRequest } from './planned-request.ts';
import { eventsIn, type Progress, type SimulationResult, Tally } from './tally.ts';
import { type OutgoingRequest, signedRequests, type WireOptions, type WireRequest } from './wire.ts';

export interface SendOptions extends Omit<WireOptions, 'now'> {
  /** Of the ingress, without a path. */
  readonly baseUrl: string;
  /** Events a second; undefined: as fast as it goes. */
  readonly rate?: number | undefined;
  /** Requests a second, instead of or besides `rate`. */
  readonly requestsPerSecond?: number | undefined;
  /** Connections, and requests at a time. */
  readonly concurrency?: number | undefined;
  /** Attempts that a request gets in all, while the answer is "later". */
  readonly attempts?: number | undefined;
  /** Sends no further requests; those under way are awaited. */
  readonly signal?: AbortSignal | undefined;
  /** Begins no further requests; those under way are delivered as they would be without it. */
  readonly enough?: AbortSignal | undefined;
  /** Called several times a second, and at the end. */
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /** Called for each final answer. */
  readonly onAnswer?: ((answer: Answer) => void) | undefined;
  /** Called for each attempt, also for those that are repeated. */
  readonly onAttempt?: ((attempt: Attempt) => void) | undefined;
  readonly now?: (() => number) | undefined;
}

export interface Answer {
  readonly planned: PlannedRequest;
  /** 0: none. */
  readonly status: number;
  /** The ingress's X-Request-Id. */
  readonly requestId: string | null;
  /** Epoch milliseconds, of the last attempt. */
  readonly sentAt: number;
  readonly answeredAt: number;
}

/** One request on the wire. */
export interface Attempt {
  readonly planned: PlannedRequest;
  /** 0: no answer. */
  readonly status: number;
  /** From the sending to the end of the answer. Milliseconds. */
  readonly tookMs: number;
}

const PROGRESS_MS = 200;
const TIMEOUT_MS = 30_000;
const FIRST_RETRY_MS = 200;
const LAST_RETRY_MS = 5_000;

/** Sends a plan. Rejects only if the base URL cannot be used; a dead ingress shows as unexpected answers. */
export function sendPlan(plan: Plan, options: SendOptions): Promise<SimulationResult> {
  return sendRequests(plan, signedRequests(plan, { ...options, now: options.now ?? Date.now }), options);
}

/** Same, with requests that may have been signed before. */
export async function sendRequests(
  plan: Plan,
  requests: Iterable<OutgoingRequest>,
  options: SendOptions,
): Promise<SimulationResult> {
  const { concurrency = 32, signal, enough, onProgress } = options;
  const isOver = () => signal?.aborted === true || enough?.aborted === true;
  const tally = new Tally(plan);
  const pool = new Pool(options.baseUrl, {
    ...{ connections: concurrency, pipelining: 1, headersTimeout: TIMEOUT_MS, bodyTimeout: TIMEOUT_MS },
  });
  const shared = requests[Symbol.iterator]();
  const paces = [new Pace(options.rate, signal), new Pace(options.requestsPerSecond, signal)] as const;
  const lane = async () => {
    for (let next = shared.next(); !next.done && !isOver(); next = shared.next()) {
      const { planned } = next.value;
      await Promise.all([paces[0].turn(eventsIn(planned)), paces[1].turn(1)]);
      if (isOver()) return;
      const answer = await deliver(pool, next.value, options, tally);
      tally.answered(planned, answer.status);
      options.onAnswer?.(answer);
    }
  };
  const timer = onProgress && setInterval(() => onProgress(tally.progress()), PROGRESS_MS);
  try {
    await Promise.all(Array.from({ length: concurrency }, lane));
  } finally {
    clearInterval(timer);
    await pool.close();
  }
  onProgress?.(tally.progress());
  return tally.result(signal?.aborted ?? false);
}

/** Comes again on "later", as the ESP would, but sooner and not for hours. */
async function deliver(
  pool: Pool,
  { planned, wire }: OutgoingRequest,
  { attempts = 8, signal, now = Date.now, onAttempt }: SendOptions,
  tally: Tally,
): Promise<Answer> {
  for (let attempt = 1; ; attempt++) {
    const sentAt = now();
    const began = performance.now();
    const { status, requestId, retryAfterMs } = await post(pool, wire);
    onAttempt?.({ planned, status, tookMs: performance.now() - began });
    const later = status !== planned.expected.status && meansLater(planned.esp, status);
    if (later) tally.uncertain++;
    if (!later || attempt >= attempts || signal?.aborted) {
      return { planned, status, requestId, sentAt, answeredAt: now() };
    }
    tally.retries++;
    const backOff = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** (attempt - 1));
    await pause(Math.max(backOff, Math.min(LAST_RETRY_MS, retryAfterMs)), signal);
  }
}

function meansLater(esp: SimulatedEsp, status: number): boolean {
  return status === 0 || status >= 500 || status === 429 || status === findAdapter(esp)?.http.answers.later;
}

async function post(
  pool: Pool,
  { method, path, headers, body }: WireRequest,
): Promise<{ status: number; requestId: string | null; retryAfterMs: number }> {
  try {
    const answer = await pool.request({ method, path, headers, body: method === 'GET' ? null : body });
    await answer.body.dump();
    const { 'x-request-id': requestId, 'retry-after': retryAfter } = answer.headers;
    return {
      status: answer.statusCode,
      requestId: typeof requestId === 'string' ? requestId : null,
      retryAfterMs: (Number(retryAfter) || 0) * 1000,
    };
  } catch {
    // Whatever went wrong with the connection: the request was not answered.
    return { status: 0, requestId: null, retryAfterMs: 0 };
  }
}
