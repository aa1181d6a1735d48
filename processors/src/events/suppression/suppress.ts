import { isPseudonym } from '@email-events/core';
import type { EmailEvent, Encoder, OperatorAction, RecipientState, Suppression } from '@email-events/schemas';
import { NO_STATE, type PolicyOf } from './accounts.ts';
import { withinBounds } from './bounds.ts';
import { withoutTexts } from './erase.ts';
import { learn } from './learn.ts';
import { withAccounts } from './legacy.ts';
import { reasonsOf, type SoftBounceRule, sameReasons, sameScopes } from './reasons.ts';
import { addWord, wordOf } from './words.ts';

export type { SoftBounceRule } from './reasons.ts';

export interface SuppressSettings {
  readonly softBounces: SoftBounceRule;
  /** How far a source is trusted. */
  readonly policyOf: PolicyOf;
  readonly suppressionEncoder: Encoder<Suppression>;
}

/** The event or action that a state follows from. */
interface Cause {
  readonly at: number;
  readonly id: string;
}

/** The recipients of one transaction: their states on top of the committed ones, and the records for email.suppressions. */
export class Suppress {
  /** States that changed, by recipient key; null: nothing is known any more. */
  readonly states = new Map<string, RecipientState | null>();
  private readonly changed = new Map<string, Suppression | null>();
  private readonly known: (key: string) => RecipientState | undefined;
  private readonly settings: SuppressSettings;
  private readonly now: number;

  /** `known`: the committed state of a recipient, as it was written. `now`: epoch milliseconds. */
  constructor(known: (key: string) => RecipientState | undefined, settings: SuppressSettings, now: number) {
    this.known = known;
    this.settings = settings;
    this.now = now;
  }

  learn(key: string, event: EmailEvent): void {
    const policy = this.settings.policyOf(event.source);
    if (policy.suppresses === 'nothing') return;
    const before = this.stateOf(key);
    this.change(key, before, learn(before, event, policy), { at: event.occurred_at, id: event.event_id });
  }

  /** An operator's action. Returns whether what is suppressed changed by it. */
  take(key: string, action: OperatorAction): boolean {
    const before = this.stateOf(key);
    const word = wordOf(action, this.now);
    const words = addWord(before.words, word);
    const after = words === before.words ? before : { ...before, words };
    return this.change(key, before, after, { at: word.at, id: action.action_id });
  }

  /**
   * Forgets a recipient. What follows from it is kept under its pseudonym, without texts. `at`: epoch milliseconds. Once more of one that was erased
   * only moves the time.
   */
  erase(key: string, pseudonym: string, { at, id }: Cause): void {
    const [plain, kept] = [this.find(key), this.find(pseudonym)];
    const erased_at = Math.max(at, kept?.erased_at ?? at);
    if (!plain && kept) {
      this.states.set(pseudonym, { ...kept, erased_at });
      return;
    }
    const before = plain ?? NO_STATE;
    const revision = Math.max(before.revision + 1, (kept?.revision ?? 0) + 1, this.now);
    const after = { ...withoutTexts(before), erased_at, revision };
    this.states.set(pseudonym, after);
    this.states.set(key, null);
    // First what stands for it, so that at no moment a reader finds neither. A state from before there were revisions may have been told, too.
    this.tell(pseudonym, after, { at, id });
    this.changed.delete(key);
    if (plain) this.changed.set(key, null);
  }

  /** One that was erased is written about anew: it is known again, and what was kept counts. The time stays, for what is older. */
  readmit(pseudonym: string, key: string, cause: Cause): void {
    const kept = this.find(pseudonym);
    if (!kept) return;
    const revision = Math.max(kept.revision + 1, this.now);
    const after = { ...kept, erased_at: null, revision };
    this.states.set(pseudonym, { ...NO_STATE, erased_at: kept.erased_at, revision });
    this.states.set(key, after);
    this.tell(key, after, cause);
    this.changed.delete(pseudonym);
    this.changed.set(pseudonym, null);
  }

  /** Newest states by recipient, encoded; null: none any more. */
  *suppressions(): Generator<{ key: string; value: Buffer | null }> {
    for (const [key, suppression] of this.changed)
      yield { key, value: suppression && this.settings.suppressionEncoder.encode(suppression) };
  }

  /** What is known of it now; undefined: nothing. */
  find(key: string): RecipientState | undefined {
    const changed = this.states.get(key);
    if (changed !== undefined) return changed ?? undefined;
    const known = this.known(key);
    return known && withAccounts(known);
  }

  private stateOf(key: string): RecipientState {
    return this.find(key) ?? NO_STATE;
  }

  private change(key: string, before: RecipientState, learnt: RecipientState, { at, id }: Cause): boolean {
    if (learnt === before) return false;
    const { softBounces } = this.settings;
    const bounded = withinBounds(learnt, softBounces);
    const after = isPseudonym(key) ? withoutTexts(bounded) : bounded;
    const [reasonsBefore, reasons] = [reasonsOf(before, softBounces), reasonsOf(after, softBounces)];
    if (sameReasons(reasonsBefore, reasons)) {
      this.states.set(key, after);
      return false;
    }
    const revision = Math.max(before.revision + 1, this.now);
    const state = { ...after, revision };
    this.states.set(key, state);
    this.changed.set(key, suppressionOf(key, state, reasons, { at, id }));
    return !sameScopes(reasonsBefore, reasons);
  }

  /** Unless there is nothing to tell of it. */
  private tell(key: string, state: RecipientState, cause: Cause): void {
    const reasons = reasonsOf(state, this.settings.softBounces);
    if (reasons.length === 0) return;
    // Only the newest state of a recipient matters to anyone; one record a transaction is enough.
    this.changed.set(key, suppressionOf(key, state, reasons, cause));
  }
}

const suppressionOf = (
  recipient: string,
  { revision }: RecipientState,
  reasons: Suppression['reasons'],
  { at, id }: Cause,
): Suppression => ({
  recipient,
  suppressed: reasons.some(({ scope }) => scope === 'all'),
  reasons,
  ...{ changed_at: at, event_id: id, revision },
});
