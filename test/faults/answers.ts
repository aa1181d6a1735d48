import type { Attempt } from '@email-events/dev/simulate';

/** How the ingress answered, as its senders saw it. */
export interface AnswerFigures {
  /** Attempts by status; 0: no answer. */
  readonly byStatus: { readonly [status: string]: number };
  /** Of the attempts that were answered. Milliseconds. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** Attempts that were not answered as they must be, the first of them with their time. */
  readonly refused: readonly string[];
  /** Those of them from before anything was harmed. */
  readonly refusedInCalm: readonly string[];
}

const MAX_REFUSED = 20;

/** Keeps every attempt, also those that an ESP makes up for by coming again. */
export class Answers {
  readonly #begin = performance.now();
  readonly #byStatus = new Map<number, number>();
  readonly #times: number[] = [];
  readonly #refused: string[] = [];
  readonly #refusedInCalm: string[] = [];
  readonly #calmMs: number;
  #more = 0;

  /** Nothing is harmed for so long. */
  constructor(calmMs = 0) {
    this.#calmMs = calmMs;
  }

  add({ planned, status, tookMs }: Attempt): void {
    this.#byStatus.set(status, (this.#byStatus.get(status) ?? 0) + 1);
    if (status !== 0) this.#times.push(tookMs);
    const { expected } = planned;
    if (status === expected.status) return;
    // Of a request that is too large the sender may still be writing when the connection is closed, and miss the answer.
    if (status === 0 && expected.status !== 200) return;
    if (this.#refused.length === MAX_REFUSED) {
      this.#more++;
      return;
    }
    const atMs = performance.now() - this.#begin;
    const at = (atMs / 1_000).toFixed(1);
    const text = `${status === 0 ? 'no answer' : status} instead of ${expected.status} at ${at} s after ${Math.round(tookMs)} ms`;
    this.#refused.push(text);
    if (atMs < this.#calmMs) this.#refusedInCalm.push(text);
  }

  figures(): AnswerFigures {
    const sorted = Float64Array.from(this.#times).sort();
    const at = (p: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * p))] ?? 0;
    return {
      byStatus: Object.fromEntries([...this.#byStatus].sort(([a], [b]) => a - b)),
      ...{ p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) },
      refused: [...this.#refused, ...(this.#more > 0 ? [`and ${this.#more} more`] : [])],
      refusedInCalm: this.#refusedInCalm,
    };
  }
}
