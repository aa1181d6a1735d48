import type { PublishRecord } from '@email-events/core';
import { partitionOf } from '@email-events/schemas';

/** Which partition of email.raw a request goes to, if it matters. */
export class Placement {
  readonly #partitions: number;
  readonly #share: FairShare;

  constructor(partitions: number) {
    this.#partitions = partitions;
    this.#share = new FairShare(partitions);
  }

  /** Sources that are kept apart from those that send less (see FairShare). */
  get heavySources(): number {
    return this.#share.heavySources;
  }

  /**
   * A request whose signature covers a token alone lies with all others of the same token, so that a second body shows;
   * any other goes where its source has its share.
   */
  of(
    source: string,
    bytes: number,
    tokenDigest: string | null | undefined,
  ): Pick<PublishRecord, 'partition'> {
    const shared = this.#share.partitionFor(source, bytes, performance.now());
    const partition = tokenDigest ? partitionOf(tokenDigest, this.#partitions) : shared;
    return partition === undefined ? {} : { partition };
  }
}

/** A source's weight is what it sent in about this time. */
const WINDOW_MS = 10_000;
/** How often it is settled who is light. */
const SETTLE_MS = 250;
/** Bytes a second of all sources together below which no source makes another one wait. */
const CALM = 262_144;
/** Of email.raw's partitions, those that light sources have for themselves. */
const LIGHT_PARTITIONS = 1 / 4;
/** How full these are at most, measured by the others: what lies there is read at once as long as anything is. */
const LIGHT_LOAD = 1 / 4;
/** Requests that go to the same partition one after the other: few large batches instead of many small ones. */
const STICKY = 16;

interface Weight {
  bytes: number;
  at: number;
  isLight: boolean;
}

interface Road {
  readonly partitions: readonly number[];
  requests: number;
}

/**
 * Keeps a source that sends much from making the others wait. A partition is read in order, so while there is more than can be worked off,
 * each request waits for all that lie before it, of any source. Therefore the sources that send least go to a quarter of the partitions
 * of email.raw and the others to the rest. Light are as many of them, the smallest first, as fill their partitions at most a quarter as much as the
 * others fill theirs: several who flood, each a bit, are heavy all the same, and with a single source, or little traffic,
 * there is no difference. It refuses no request, and no order is lost: email.raw has none.
 *
 * Each process goes by what it has taken itself. Bytes are those of bodies; the clock is in milliseconds and never goes back.
 */
export class FairShare {
  readonly #light: Road;
  readonly #heavy: Road;
  readonly #weights = new Map<string, Weight>();
  #settledAt = Number.NEGATIVE_INFINITY;
  #isCrowded = false;

  /** `partitions`: how many email.raw has; there is nothing to share with one. */
  constructor(partitions: number) {
    const all = Array.from({ length: partitions }, (_, partition) => partition);
    const light = partitions < 2 ? 0 : Math.max(1, Math.floor(partitions * LIGHT_PARTITIONS));
    this.#light = { partitions: all.slice(0, light), requests: 0 };
    this.#heavy = { partitions: all.slice(light), requests: 0 };
  }

  /** Sources that are kept to the partitions of the heavy ones now. */
  get heavySources(): number {
    if (!this.#isCrowded) return 0;
    return [...this.#weights.values()].filter(({ isLight }) => !isLight).length;
  }

  /** Where this source's next request goes; undefined: anywhere. `source` is a name of the configuration. */
  partitionFor(source: string, bytes: number, now: number): number | undefined {
    const weight = this.#weightOf(source, now);
    decay(weight, now);
    weight.bytes += bytes;
    if (now - this.#settledAt >= SETTLE_MS) this.#settle(now);
    if (!this.#isCrowded) return undefined;
    const road = weight.isLight ? this.#light : this.#heavy;
    const turn = Math.floor(road.requests++ / STICKY) % road.partitions.length;
    return road.partitions[turn];
  }

  #weightOf(source: string, now: number): Weight {
    let weight = this.#weights.get(source);
    if (!weight) {
      weight = { bytes: 0, at: now, isLight: true };
      this.#weights.set(source, weight);
    }
    return weight;
  }

  #settle(now: number): void {
    this.#settledAt = now;
    let total = 0;
    for (const [source, weight] of this.#weights) {
      decay(weight, now);
      total += weight.bytes;
      // It left the configuration, or sends so little that it need not be remembered.
      if (weight.bytes < 1) this.#weights.delete(source);
    }
    this.#isCrowded = this.#light.partitions.length > 0 && total >= (CALM * WINDOW_MS) / 1_000;
    if (!this.#isCrowded) return;
    // Of x bytes for the light and total - x for the others: x / light = LIGHT_LOAD * (total - x) / heavy.
    const part = (LIGHT_LOAD * this.#light.partitions.length) / this.#heavy.partitions.length;
    let room = (total * part) / (1 + part);
    const byWeight = [...this.#weights.values()].sort((a, b) => a.bytes - b.bytes);
    for (const weight of byWeight) {
      room -= weight.bytes;
      weight.isLight = room >= 0;
    }
    this.#isCrowded = byWeight[0]?.isLight === true;
  }
}

/** Bytes count for less the longer ago they were sent. */
function decay(weight: Weight, now: number): void {
  weight.bytes *= Math.exp(-(now - weight.at) / WINDOW_MS);
  weight.at = now;
}
