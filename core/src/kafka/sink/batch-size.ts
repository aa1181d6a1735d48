import type { BufferLimits } from './lane-buffer.ts';

/**
 * How large the next batch of a lane may be. A batch that was announced keeps its size; one that was too much for the sink, or had too
 * many pieces, makes the next ones smaller, and each that goes well makes the next one larger again, up to what is configured.
 */
export class BatchSize implements BufferLimits {
  readonly flushMs: number;
  private readonly most: BufferLimits;
  private rows: number;

  constructor(most: BufferLimits) {
    this.most = most;
    this.flushMs = most.flushMs;
    this.rows = most.batchRows;
  }

  get batchRows(): number {
    return this.rows;
  }

  /** In proportion to the rows: what is too much may be either. */
  get batchBytes(): number {
    return Math.max(1, Math.floor((this.most.batchBytes * this.rows) / this.most.batchRows));
  }

  /** The batch that it was said of had so many rows. */
  tooLarge(rows: number): void {
    this.atMost(Math.floor(Math.min(rows, this.rows) / 2));
  }

  atMost(rows: number): void {
    this.rows = Math.max(1, Math.min(rows, this.rows));
  }

  wentWell(): void {
    this.rows = Math.min(this.most.batchRows, this.rows * 2);
  }
}
