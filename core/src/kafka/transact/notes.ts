import { isNoteTooLong } from '../errors.ts';

/**
 * Whether the cluster takes notes beside positions. One whose `offset.metadata.max.bytes` is below MAX_NOTE refuses the transaction for its
 * note, each time: then none is sent any more, since a note is worth less than the records. Of all partitions; it outlives their lanes.
 */
export class Notes {
  private readonly refused: () => void;
  private isRefused = false;

  /** @param refused called once */
  constructor(refused: () => void = () => {}) {
    this.refused = refused;
  }

  /** What is sent of it. */
  sent(note: string | null): string | null {
    return this.isRefused ? null : note;
  }

  /** A transaction failed. */
  failed(error: unknown): void {
    if (this.isRefused || !isNoteTooLong(error)) return;
    this.isRefused = true;
    this.refused();
  }
}
