import { setTimeout as sleep } from 'node:timers/promises';
import type { Answer } from '@email-events/dev/simulate';
import type { ClickHouse } from '@email-events/sink-clickhouse';

/** How long one event took from the time at which its request was to be sent first (epoch milliseconds). */
export interface Seen {
  readonly intendedAt: number;
  readonly latencyMs: number;
}

interface Sighting {
  /** Rows seen so far. */
  rows: number;
  /** When each row was first seen: answer time of the query that showed it, epoch milliseconds. */
  readonly at: number[];
}

const POLL_MS = 100;
/** A request that is not answered yet was sent no longer ago than this. One that was is looked for from its answer on: its rows are seen too late, never too early. */
const UNANSWERED_MS = 1_000;

// Each row of a request is an event of it: without duplicates their number is known.
const ROWS = `
  SELECT request_id, toUInt32(count()) AS rows
  FROM email_events
  WHERE received_at >= fromUnixTimestamp64Milli({from:Int64})
  GROUP BY request_id`;

/**
 * Watches a table from outside, as a reader would: asks every 100 ms which rows are there and takes the time at which
 * the answer was in hand. So a latency is never too small, and too large by up to one poll (`pollMs` tells how long
 * those took). Sender and reader share this process's clock.
 */
export class Visibility {
  readonly pollMs: number[] = [];
  readonly #clickhouse: ClickHouse;
  readonly #sightings = new Map<string, Sighting>();
  /** Answered requests that are not wholly visible, in the order of the answers. */
  readonly #waiting = new Map<string, { readonly intendedAt: number; readonly events: number }>();
  readonly #seen: Seen[] = [];
  #stopped = false;

  constructor(clickhouse: ClickHouse) {
    this.#clickhouse = clickhouse;
  }

  /** Tells of a request that was acknowledged. */
  acknowledged({ requestId, intendedAt, planned }: Answer): void {
    if (requestId === null) return;
    const events = planned.steps.reduce((sum, { message }) => sum + message.addressees.length, 0);
    this.#waiting.set(requestId, { intendedAt, events });
  }

  /** Polls until stopped. Rejects if a query fails. */
  async watch(): Promise<void> {
    while (!this.#stopped) {
      const started = performance.now();
      await this.#poll();
      this.pollMs.push(performance.now() - started);
      await sleep(Math.max(0, POLL_MS - (performance.now() - started)));
    }
  }

  /** Waits until all acknowledged events were seen, then stops. Throws if that takes longer than the deadline. */
  async finish(deadlineMs: number): Promise<readonly Seen[]> {
    const deadline = Date.now() + deadlineMs;
    while (this.#waiting.size > 0 && Date.now() < deadline) await sleep(POLL_MS);
    this.#stopped = true;
    if (this.#waiting.size > 0) {
      throw new Error(
        `${this.#waiting.size} acknowledged requests are not in ClickHouse after ${deadlineMs} ms`,
      );
    }
    return this.#seen;
  }

  async #poll(): Promise<void> {
    const now = Date.now();
    const oldest = this.#waiting.values().next().value?.intendedAt ?? now;
    const from = Math.min(oldest, now - UNANSWERED_MS) - 1_000;
    const rows = await this.#clickhouse.query<{ request_id: string; rows: number }>(ROWS, { from });
    const at = Date.now();
    for (const { request_id: id, rows: count } of rows) {
      const sighting = this.#sightings.get(id) ?? { rows: 0, at: [] };
      this.#sightings.set(id, sighting);
      for (; sighting.rows < count; sighting.rows++) sighting.at.push(at);
    }
    for (const [id, { intendedAt, events }] of this.#waiting) {
      const sighting = this.#sightings.get(id);
      if (!sighting || sighting.rows < events) continue;
      this.#waiting.delete(id);
      for (const seenAt of sighting.at) this.#seen.push({ intendedAt, latencyMs: seenAt - intendedAt });
    }
  }
}

/** Value below which the share lies (nearest rank). */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}
