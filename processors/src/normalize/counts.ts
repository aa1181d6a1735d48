import { MAX_NOTE } from '@email-events/core';

/** Counts of one source, on one partition of email.raw. */
export interface SourceCounts {
  /** Requests as the ingress wrote them. */
  readonly requests: number;
  /** Requests that an operator put back. */
  readonly putBack: number;
  /** Events that were made of these. */
  readonly normalized: number;
  /** Items of these that are dead letters, and events that fit no record. */
  readonly refused: number;
}

/** Stands for the sources that are not told apart. No source can have this name. */
export const OTHERS = '*';

const NAME = /^[a-z0-9][a-z0-9-]{0,62}$/;
const VERSION = '1';
const FIELDS = ['requests', 'putBack', 'normalized', 'refused'] as const;
const NOTHING: SourceCounts = { requests: 0, putBack: 0, normalized: 0, refused: 0 };
const RADIX = 36;
/** Each number may grow to so many digits: 2.8 × 10¹². */
const DIGITS = 8;

/** Version and time. */
const HEAD = VERSION.length + 1 + DIGITS;

/** In the note, however large its numbers get. */
const roomOf = (source: string) => 1 + source.length + FIELDS.length * (1 + DIGITS);

/**
 * What has become of the requests of a partition by source, since it is counted. It is committed in the very transaction that it is about, as the
 * note beside the position, so it knows neither crashes nor repetitions. A note is small: sources that come when it is full count
 * together. Never changed.
 */
export class Counts {
  /** When counting began. Epoch seconds; 0: with the first record. */
  readonly since: number;
  private readonly bySource: ReadonlyMap<string, SourceCounts>;

  private constructor(since: number, bySource: ReadonlyMap<string, SourceCounts>) {
    this.since = since;
    this.bySource = bySource;
  }

  /** Of a note that `note` has made; of anything else, counting begins now (epoch milliseconds). */
  static of(note: string | null, now: number): Counts {
    const [version, since = '', ...entries] = (note ?? '').split(' ');
    const began = numberOf(since);
    const read = entries.map(readEntry);
    return version !== VERSION || began === undefined || read.includes(undefined)
      ? new Counts(Math.floor(now / 1_000), new Map())
      : new Counts(began, new Map(read as [string, SourceCounts][]));
  }

  get sources(): Iterable<readonly [source: string, SourceCounts]> {
    return this.bySource;
  }

  plus(added: Iterable<readonly [source: string, SourceCounts]>): Counts {
    const sums = new Map(this.bySource);
    let free = MAX_NOTE - HEAD - roomOf(OTHERS);
    for (const source of sums.keys()) if (source !== OTHERS) free -= roomOf(source);
    for (const [name, counts] of added) {
      const isNew = !sums.has(name);
      const source = isNew && (!NAME.test(name) || roomOf(name) > free) ? OTHERS : name;
      if (isNew && source !== OTHERS) free -= roomOf(source);
      sums.set(source, sumOf(sums.get(source) ?? NOTHING, counts));
    }
    return new Counts(this.since, sums);
  }

  note(): string {
    const entries = [...this.bySource].map(([source, counts]) =>
      [source, ...FIELDS.map((field) => counts[field].toString(RADIX))].join(':'),
    );
    return [VERSION, this.since.toString(RADIX), ...entries].join(' ');
  }
}

export function sumOf(a: SourceCounts, b: SourceCounts): SourceCounts {
  return {
    requests: a.requests + b.requests,
    putBack: a.putBack + b.putBack,
    normalized: a.normalized + b.normalized,
    refused: a.refused + b.refused,
  };
}

function readEntry(entry: string): [string, SourceCounts] | undefined {
  const [source = '', ...numbers] = entry.split(':');
  const read = numbers.map(numberOf);
  if (read.length !== FIELDS.length || read.includes(undefined)) return undefined;
  const counts = Object.fromEntries(FIELDS.map((field, i) => [field, read[i]]));
  return [source, counts as unknown as SourceCounts];
}

function numberOf(text: string): number | undefined {
  const number = Number.parseInt(text, RADIX);
  return Number.isSafeInteger(number) && number >= 0 && number.toString(RADIX) === text ? number : undefined;
}
