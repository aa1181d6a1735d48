import type { SinkVerdict } from '../../sink.ts';
import type { Refusal } from './dead-letters.ts';
import type { Entry } from './entry.ts';
import type { Plan } from './lane-buffer.ts';

/** A batch from when it is taken until it is committed: what is known of its records and pieces by now. */
export class OpenBatch<R> {
  /** Grows only for a sink that takes record by record. */
  plan: Plan<R>;
  /** Epoch milliseconds. */
  readonly startedAt: number;
  /** Tries that did not end it. */
  attempts = 0;
  /** Tries that ended with what nobody foresaw, since it was last looked for. */
  unforeseen = 0;
  /** How often it was looked for. */
  searches = 0;
  /** It was said to be too much at a time. */
  tooLarge = false;
  /** Records that were not done with after the last try. */
  waiting = 0;
  private readonly done = new Set<string>();
  private readonly refusedBySink: Refusal[] = [];
  /** Records that no piece may hold. */
  private readonly aside = new Map<Entry<R>, Refusal>();
  private readonly told = new Set<Refusal>();

  constructor(plan: Plan<R>, startedAt: number) {
    this.plan = plan;
    this.startedAt = startedAt;
  }

  /** What is given to the sink, always the same but for what was set aside: the token of a piece stands for its records. */
  get entries(): readonly Entry<R>[] {
    return this.aside.size === 0
      ? this.plan.entries
      : this.plan.entries.filter((entry) => !this.aside.has(entry));
  }

  setAside(entry: Entry<R>, code: string, message: string): void {
    this.aside.set(entry, { entry, code, message, firstAt: this.startedAt });
  }

  isDone(piece: string): boolean {
    return this.done.has(piece);
  }

  /** Every record of the piece has its last word. */
  settle(piece: string, entries: readonly Entry<R>[], verdicts: readonly SinkVerdict[]): void {
    this.done.add(piece);
    for (const [index, entry] of entries.entries()) {
      const verdict = verdicts[index];
      if (verdict?.outcome !== 'dead-letter') continue;
      const { code, message } = verdict;
      this.refusedBySink.push({ entry, code, message, firstAt: this.startedAt });
    }
  }

  /** What is set aside and has no dead letter yet, as far as is known. */
  untold(): Refusal[] {
    return [...this.aside.values()].filter((refusal) => !this.told.has(refusal));
  }

  tell(refusals: readonly Refusal[]): void {
    for (const refusal of refusals) this.told.add(refusal);
  }

  /** All that became dead letters, once nothing is left. */
  get refusals(): readonly Refusal[] {
    return [...this.aside.values(), ...this.refusedBySink];
  }

  /** What the sink refused. To be asked for when all pieces are done. */
  refused(): readonly Refusal[] {
    return this.refusedBySink;
  }
}
