import { CrmError } from './errors.ts';

const AGAIN_MS = 1_000;

/** One write at a time for a recipient, of all that write to a CRM in this process. */
export class RecipientTurns {
  /** Last write of each recipient that has one under way. */
  private readonly last = new Map<string, Promise<unknown>>();

  /** After those that are under way. */
  async run<T>(recipient: string, work: () => Promise<T>): Promise<T> {
    const before = this.last.get(recipient) ?? Promise.resolve();
    const turn = before.then(work);
    const settled = turn.catch(() => undefined);
    this.last.set(recipient, settled);
    try {
      return await turn;
    } finally {
      if (this.last.get(recipient) === settled) this.last.delete(recipient);
    }
  }

  /** Now, or not: throws CrmError of failure `paused` if one is under way, for what must not wait while it holds what that one needs. */
  async runNow<T>(recipient: string, work: () => Promise<T>): Promise<T> {
    if (!this.last.has(recipient)) return this.run(recipient, work);
    throw new CrmError('paused', 'SINK_CRM_PAUSED', 'the recipient is being written', { afterMs: AGAIN_MS });
  }
}
