import {
  type Counter,
  decodeRawHeaders,
  type InputRecord,
  type Stage,
  type Step,
  type Unforeseen,
  type UnforeseenFailure,
} from '@email-events/core';
import { type Budget, DEFAULT_BUDGET } from '@email-events/esps';
import type { DeadLetterCounter } from '../dead-letters.ts';
import { Breath } from './breath.ts';
import { checkNormalize } from './canary.ts';
import { Failures } from './failures.ts';
import { type NormalizeOptions, normalizeRecord } from './normalize-record.ts';
import { Transaction, type Writing } from './transaction.ts';

/** What all partitions share. */
export interface NormalizeContext
  extends Writing,
    Pick<NormalizeOptions, 'optionsOf' | 'accountOf' | 'timeBounds'> {
  readonly items: Counter<'result'>;
  readonly deadLetters: DeadLetterCounter;
  readonly clock: () => number;
  /** Default: DEFAULT_BUDGET. */
  readonly budget?: Budget;
  /** Bytes of output after which a transaction takes no further request. */
  readonly maxTransactionBytes?: number;
}

const MAX_TRANSACTION_BYTES = 16_777_216;

/** Stateless: split, normalize, and put the events where their recipient's partition is, in batches. */
export class NormalizeStage implements Stage {
  private readonly context: NormalizeContext;
  private readonly breath = new Breath();

  constructor(context: NormalizeContext) {
    this.context = context;
  }

  async open(): Promise<void> {}

  async process(records: readonly InputRecord[]): Promise<Step> {
    const { optionsOf, accountOf, budget, timeBounds, clock } = this.context;
    const { maxTransactionBytes = MAX_TRANSACTION_BYTES } = this.context;
    const transaction = new Transaction(this.context, clock());
    const unforeseen: Unforeseen[] = [];
    let taken = 0;
    for (const record of records) {
      if (this.breath.isDue) await this.breath.take();
      const normalized = await normalizeRecord(record, { optionsOf, accountOf, budget, timeBounds, breath: this.breath });
      transaction.add(record, normalized);
      const sources = [normalized.request?.source ?? ''];
      if (normalized.unforeseen) unforeseen.push({ offset: record.offset, sources });
      taken++;
      if (transaction.bytes >= maxTransactionBytes) break;
    }
    return this.step(transaction, unforeseen, taken);
  }

  async setAside(record: InputRecord, { error, attempts }: UnforeseenFailure): Promise<Step> {
    const transaction = new Transaction(this.context, this.context.clock());
    const request = requestOf(record);
    const failures = new Failures(this.context.budget ?? DEFAULT_BUDGET, record, request);
    // The message of a foreign error may quote the payload, so only its kind is told.
    const kind = error instanceof Error ? error.name : typeof error;
    failures.ofAll('NORMALIZE_RECORD_FAILED', `the work on it fails with ${kind}`, attempts);
    transaction.add(record, { request, events: [], bytes: 0, ...failures.result });
    return this.step(transaction, [{ offset: record.offset, sources: [request?.source ?? ''] }], 1);
  }

  checkItself(): Promise<void> {
    return checkNormalize(this.context);
  }

  async close(): Promise<void> {}

  private step(transaction: Transaction, unforeseen: readonly Unforeseen[], taken: number): Step {
    const outputs = transaction.outputs();
    return { outputs, unforeseen, taken, committed: () => this.count(transaction) };
  }

  private count({ items, refused, letters }: Transaction): void {
    const { items: counter, deadLetters } = this.context;
    counter.inc({ result: 'normalized' }, items - refused);
    counter.inc({ result: 'dead_letter' }, refused);
    for (const { stage, code } of letters) deadLetters.inc({ stage, code });
  }
}

/** Of a record on which anything may fail. */
function requestOf({ headers }: InputRecord): ReturnType<typeof decodeRawHeaders> {
  try {
    return decodeRawHeaders(headers);
  } catch {
    return undefined;
  }
}
