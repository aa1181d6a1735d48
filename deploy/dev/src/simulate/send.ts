import { setTimeout as sleep } from 'node:timers/promises';
import { type EspRequest, findAdapter } from '@email-events/esps';
import { Pool } from 'undici';
import type { SenderCredentials } from './credentials.ts';
import { createPlan, type Plan, type PlannedRequest, type PlanOptions } from './plan.ts';
import { type DraftSigner, senderOf } from './sender.ts';
import { eventsIn, type Progress, type SimulationResult, Tally } from './tally.ts';

export interface SimulationOptions
  extends SendOptions,
    Pick<PlanOptions, 'events' | 'esps' | 'duplicates' | 'invalid' | 'hours'> {
  readonly seed?: number | undefined;
  readonly runId?: string | undefined;
  /** Epoch milliseconds; now, if left out. */
  readonly startTime?: number | undefined;
}

/** Plans and sends. Throws RangeError for options that make no plan. */
export function runSimulation(options: SimulationOptions): Promise<SimulationResult> {
  const startTime = options.startTime ?? Date.now();
  const runId = options.runId ?? `r${startTime.toString(36)}`;
  return sendPlan(createPlan({ ...options, startTime, runId, seed: options.seed ?? 1 }), options);
}

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
  /**
   * When its first attempt was due by the rate, epoch milliseconds: earlier than it was sent if all connections were waiting for answers.
   * Without a rate, when it was sent first. What a sender waited is measured from here.
   */
  readonly intendedAt: number;
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
  const epochMs = (options.now ?? Date.now)() - performance.now();
  const paces = [new Pace(options.rate, signal), new Pace(options.requestsPerSecond, signal)] as const;
  const lane = async () => {
    for (let next = shared.next(); !next.done && !isOver(); next = shared.next()) {
      const { planned } = next.value;
      const due = await Promise.all([paces[0].turn(eventsIn(planned)), paces[1].turn(1)]);
      if (isOver()) return;
      const paced = due.filter((at) => at !== undefined);
      const intendedAt = Math.floor(epochMs + (paced.length > 0 ? Math.max(...paced) : performance.now()));
      const answer = { intendedAt, ...(await deliver(pool, next.value, options, tally)) };
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
): Promise<Omit<Answer, 'intendedAt'>> {
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

function meansLater(esp: string, status: number): boolean {
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
    // The connection failed, so the request was not answered.
    return { status: 0, requestId: null, retryAfterMs: 0 };
  }
}

/** Units (events or requests) a second. */
export class Pace {
  readonly #perSecond: number | undefined;
  readonly #signal: AbortSignal | undefined;
  readonly #start = performance.now();
  #units = 0;

  constructor(perSecond: number | undefined, signal: AbortSignal | undefined) {
    this.#perSecond = perSecond;
    this.#signal = signal;
  }

  /**
   * Waits until it is the turn of this many units; takes turns in the order of the calls. Returns when the turn was, by
   * `performance.now()`: in the past if it was asked for too late. Undefined without a rate.
   */
  async turn(units: number): Promise<number | undefined> {
    if (this.#perSecond === undefined) return undefined;
    const due = this.#start + (this.#units * 1000) / this.#perSecond;
    this.#units += units;
    await pause(due - performance.now(), this.#signal);
    return due;
  }
}

/** Waits, but no longer than until the signal. */
export async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  if (ms < 1 || signal?.aborted) return;
  await sleep(ms, undefined, signal ? { signal } : {}).catch(() => undefined);
}

/** A signed request, ready to be sent. */
export interface WireRequest {
  readonly method: 'POST' | 'GET';
  readonly path: string;
  /** Lower-case names. */
  readonly headers: { readonly [name: string]: string };
  readonly body: Buffer;
}

export interface OutgoingRequest {
  readonly planned: PlannedRequest;
  readonly wire: WireRequest;
}

export interface WireOptions {
  readonly credentials: SenderCredentials;
  /** Names of the sources, where they differ from the ESPs'. */
  readonly sources?: { readonly [esp: string]: string } | undefined;
  /** Epoch milliseconds; what is dated is signed with it. */
  readonly now: () => number;
}

const WEBHOOK_PATH = '/webhooks/email-events/';
const NO_SOURCE = 'nobody-configured-this';
/** Larger than what the ingress takes by default. */
const tooLarge = (esp: string) => (findAdapter(esp)?.http.maxBodyBytes ?? 1_048_576) + 50_000;

/**
 * Signs a plan's requests one by one, as they are asked for. For a load test, collect them first: `[...signedRequests()]`
 * (within the five minutes that a Standard Webhooks signature lasts).
 * The same clock, credentials and plan give the same bytes, but for SendGrid's signatures: ECDSA is random by design.
 */
export function* signedRequests(plan: Plan, options: WireOptions): Generator<OutgoingRequest> {
  const signers = new Map<string, DraftSigner>();
  const sent = new Map<number, WireRequest>();
  for (const planned of plan.requests()) {
    const { esp, repeats } = planned;
    const signer = signers.get(esp) ?? senderOf(esp).signer(options.credentials[esp]);
    signers.set(esp, signer);
    const earlier = repeats === undefined ? undefined : sent.get(repeats);
    const wire = earlier && !senderOf(esp).speech.signsAnew ? earlier : wireOf(planned, signer, options);
    if (repeats !== undefined) sent.delete(repeats);
    if (planned.repeatedLater) sent.set(planned.index, wire);
    yield { planned, wire };
  }
}

function wireOf(planned: PlannedRequest, sign: DraftSigner, { sources, now }: WireOptions): WireRequest {
  const { esp, kind } = planned;
  const source = kind === 'unknown-source' ? NO_SOURCE : (sources?.[esp] ?? esp);
  const wire = wireRequest(sign(planned.draft, WEBHOOK_PATH + source, now(), planned.flaw));
  if (kind === 'wrong-content-type') {
    return { ...wire, headers: { ...wire.headers, 'content-type': 'image/png' } };
  }
  if (kind !== 'too-large') return wire;
  return { ...wire, body: Buffer.concat([wire.body, Buffer.alloc(tooLarge(esp), ' ')]) };
}

export function wireRequest({ method, url, headers, body }: EspRequest): WireRequest {
  return {
    method: method === 'GET' ? 'GET' : 'POST',
    path: url,
    headers: Object.fromEntries(
      Object.entries(headers).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
    ),
    body,
  };
}
