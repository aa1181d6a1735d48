/** The broker counts modulo this. */
const SEQUENCES = 2 ** 31;

/**
 * Numbers of the records of an idempotent producer, by partition. A number that was given away is never taken back: what became of a
 * record that was sent is known to the broker alone, and a second record of its number would be taken for its repetition.
 */
export class Sequences {
  private readonly next = new Map<string, number>();
  private readonly start: number;

  /** @param start where a partition begins; another than 0 is for tests of what comes near the end */
  constructor(start = 0) {
    this.start = start;
  }

  /** The number of the first of so many records. */
  take(topic: string, partition: number, records: number): number {
    const of = `${topic}/${partition}`;
    const first = this.next.get(of) ?? this.start;
    this.next.set(of, after(first, records));
    return first;
  }

  /** With a new epoch all begin anew. */
  reset(): void {
    this.next.clear();
  }
}

/** The number that follows so many records from this one on. */
export const after = (first: number, records: number): number => (first + records) % SEQUENCES;
