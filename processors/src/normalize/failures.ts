import { type InputRecord, type RawRequest, replayOf } from '@email-events/core';
import type { Budget, ItemResult } from '@email-events/esps';

/** Why a record, or one item of it, gave no events. */
export interface NormalizeFailure {
  readonly code: string;
  readonly message: string;
  readonly attempts?: number;
  readonly item?: { readonly index: number; readonly bytes: Buffer | null };
}

type RefusedItem = Extract<ItemResult, { readonly code: string }>;

/** What a letter has besides its item: headers of the record, place, code, times. */
const LETTER_OVERHEAD = 400;

/**
 * What cannot be read of one request. Each item has a failure of its own, unless there are so many, or they are so large, that one
 * for all of them has to do. Of a record that was put back, only the items that it was put back for count.
 */
export class Failures {
  private readonly budget: Budget;
  private readonly only: ReadonlySet<number> | null;
  private readonly overhead: number;
  private readonly room: number;
  private readonly failures: NormalizeFailure[] = [];
  private items = 0;
  private bytes = 0;
  private first: string | undefined;
  private unforeseen = false;

  constructor(budget: Budget, record: InputRecord, request: RawRequest | undefined) {
    this.budget = budget;
    const items = replayOf(record)?.items;
    this.only = items ? new Set(items) : null;
    const headers = Object.values(record.headers).reduce((sum, { length }) => sum + length, 0);
    this.overhead = LETTER_OVERHEAD + headers;
    const received = (record.value?.length ?? 0) + (request?.url.length ?? 0);
    this.room = Math.min(budget.maxOutputBytes, received + budget.maxDeadLetters * LETTER_BYTES);
  }

  /** The request as a whole. That stands for each of the items that it was put back for: the others were counted long ago. */
  ofAll(code: string, message: string, attempts?: number): void {
    const failure = { code, message, ...(attempts === undefined ? {} : { attempts }) };
    this.failures.length = 0;
    this.items = 0;
    if (!this.only) this.add(failure);
    else for (const index of this.only) this.add({ ...failure, item: { index, bytes: null } });
  }

  ofItem({ index, code, message, item }: RefusedItem): void {
    if (this.only && !this.only.has(index)) return;
    this.unforeseen ||= code === 'NORMALIZE_UNEXPECTED';
    this.add({ code, message, item: { index, bytes: item === null ? null : Buffer.from(item) } });
  }

  get result(): {
    readonly failures: readonly NormalizeFailure[];
    readonly refused: number;
    readonly unforeseen: boolean;
  } {
    const { items: refused, unforeseen } = this;
    if (this.fits) return { failures: this.failures, refused, unforeseen };
    const message = `${refused} items cannot be read, the first is ${this.first}`;
    return { failures: [{ code: 'NORMALIZE_TOO_MANY_FAILURES', message }], refused, unforeseen };
  }

  private get fits(): boolean {
    return this.items <= this.budget.maxDeadLetters && (this.items <= 1 || this.bytes <= this.room);
  }

  private add(failure: NormalizeFailure): void {
    this.items++;
    this.first ??= failure.code;
    this.bytes += this.overhead + (failure.item?.bytes?.length ?? 0);
    if (this.fits) this.failures.push(failure);
    else this.failures.length = 0;
  }
}

/** A letter of a small item, on average. */
const LETTER_BYTES = 4_096;
