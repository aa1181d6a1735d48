import type { InputRecord } from '../../dead-letter.ts';
import type { UnforeseenFailure } from './stage.ts';

/** So often a single record is tried: memory may be short for a moment. */
export const ATTEMPTS = 3;

/**
 * Finds the one record among many on which the work fails: what failed is halved, first half first, until a single record
 * is left. It knows offsets only, so it outlives a lane whose transaction was refused, and batches that are fetched anew.
 */
export class Isolation {
  /** Where pieces end, the nearest last: records up to an offset that is in here are never taken together with later ones. */
  private readonly cuts: number[] = [];
  private suspect: { readonly offset: number; readonly failure: UnforeseenFailure } | undefined;

  /** Those of the records, in order, that come next. None only of none. */
  piece(records: readonly InputRecord[]): readonly InputRecord[] {
    const [first] = records;
    // What an earlier lane has committed, without hearing of it, it has passed.
    if (first) this.passed(first.offset);
    const cut = this.cuts.at(-1);
    if (cut === undefined) return records;
    const end = records.findIndex(({ offset }) => offset >= cut);
    return end === -1 ? records : records.slice(0, end);
  }

  /** A piece failed, and not because something was away. */
  failed(piece: readonly InputRecord[], error: unknown): void {
    const middle = piece[piece.length >> 1];
    if (!middle) return;
    if (piece.length > 1) {
      this.cuts.push(middle.offset);
      return;
    }
    const earlier = this.suspect?.offset === middle.offset ? this.suspect.failure.attempts : 0;
    this.suspect = { offset: middle.offset, failure: { error, attempts: earlier + 1 } };
    // Whatever is fetched next, it is alone.
    if (this.cuts.at(-1) !== middle.offset + 1) this.cuts.push(middle.offset + 1);
  }

  /** Set if the record was tried often enough. */
  givenUp(piece: readonly InputRecord[]): UnforeseenFailure | undefined {
    const [record] = piece;
    if (!this.suspect || record?.offset !== this.suspect.offset || piece.length !== 1) return undefined;
    return this.suspect.failure.attempts >= ATTEMPTS ? this.suspect.failure : undefined;
  }

  /** It was not set aside: it is tried once more before that is decided anew. */
  tryAgain(): void {
    if (!this.suspect) return;
    const { offset, failure } = this.suspect;
    this.suspect = { offset, failure: { ...failure, attempts: ATTEMPTS - 1 } };
  }

  /** Everything before this offset is committed. */
  passed(position: number): void {
    while ((this.cuts.at(-1) ?? Number.POSITIVE_INFINITY) <= position) this.cuts.pop();
    if (this.suspect && this.suspect.offset < position) this.suspect = undefined;
  }
}
