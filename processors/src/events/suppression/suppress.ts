import type { EmailEvent, Encoder, OperatorAction, RecipientState, Suppression } from '@email-events/schemas';
import { NO_STATE, type PolicyOf } from './accounts.ts';
import { withinBounds } from './bounds.ts';
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
  /** States that changed, by recipient key. */
  readonly states = new Map<string, RecipientState>();
  private readonly changed = new Map<string, Suppression>();
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

  /** Newest states by recipient, encoded. */
  *suppressions(): Generator<{ key: string; value: Buffer }> {
    for (const [key, suppression] of this.changed)
      yield { key, value: this.settings.suppressionEncoder.encode(suppression) };
  }

  private stateOf(key: string): RecipientState {
    const changed = this.states.get(key);
    if (changed) return changed;
    const known = this.known(key);
    return known ? withAccounts(known) : NO_STATE;
  }

  private change(key: string, before: RecipientState, learnt: RecipientState, { at, id }: Cause): boolean {
    if (learnt === before) return false;
    const { softBounces } = this.settings;
    const after = withinBounds(learnt, softBounces);
    const [reasonsBefore, reasons] = [reasonsOf(before, softBounces), reasonsOf(after, softBounces)];
    if (sameReasons(reasonsBefore, reasons)) {
      this.states.set(key, after);
      return false;
    }
    const revision = Math.max(before.revision + 1, this.now);
    this.states.set(key, { ...after, revision });
    // Only the newest state of a recipient matters to anyone; one record a transaction is enough.
    this.changed.set(key, {
      recipient: key,
      suppressed: reasons.some(({ scope }) => scope === 'all'),
      reasons,
      changed_at: at,
      event_id: id,
      revision,
    });
    return !sameScopes(reasonsBefore, reasons);
  }
}
