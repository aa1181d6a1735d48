import { isPseudonym, type Pseudonym } from '@email-events/core';
import type { Suppression } from '@email-events/schemas';
import { type ReasonKind, ReasonKinds } from './kinds.ts';
import { NO_REASON, ReasonLists } from './reason-lists.ts';
import { type Fingerprint, type Recipient, Recipients } from './recipients.ts';

/** Why something must not be sent to a recipient. */
export interface StoredReason extends ReasonKind {
  /** Epoch milliseconds. */
  readonly since: number;
}

/** What the newest record of a recipient says. */
export interface StoredState {
  /** 0: the record is from before there were revisions, or cannot be read. */
  readonly revision: number;
  readonly reasons: readonly StoredReason[];
}

/** A recipient whose record cannot be read: what it says may be anything, so nothing may be sent. */
const UNREADABLE: ReasonKind = { reason: 'unreadable', scope: 'all', esp: '', source: '', account: null };
/** A state that suppresses everything and does not say why. */
const UNSAID: ReasonKind = { reason: 'unsaid', scope: 'all', esp: '', source: '', account: null };

/** The states of email.suppressions, by recipient key, without addresses, event ids and details. */
export class SuppressionState {
  private readonly kinds = new ReasonKinds();
  private readonly lists = new ReasonLists();
  private readonly recipients: Recipients;
  private unreadableCount = 0;
  private readonly pseudonyms: readonly Pseudonym[];
  private hasErased = false;

  /** `pseudonyms`: what stands for an address that was erased. */
  constructor(salt?: string, pseudonyms: readonly Pseudonym[] = []) {
    this.recipients = new Recipients(salt);
    this.pseudonyms = pseudonyms;
  }

  get size(): number {
    return this.recipients.size;
  }

  /** Recipients whose newest record cannot be read. */
  get unreadable(): number {
    return this.unreadableCount;
  }

  /** There are hashes of erased addresses, and no key by which to ask for them. */
  get lacksKeys(): boolean {
    return this.hasErased && this.pseudonyms.length === 0;
  }

  get bytes(): number {
    return this.recipients.bytes + this.lists.bytes + this.kinds.bytes;
  }

  get(recipient: string): StoredState | undefined {
    const found = this.find(recipient);
    if (!found) return undefined;
    const reasons: StoredReason[] = [];
    this.lists.each(found.reasons, (kind, since) => reasons.push({ ...this.kinds.of(kind), since }));
    return { revision: found.revision, reasons };
  }

  private find(recipient: string): Recipient | undefined {
    const found = this.recipients.get(this.recipients.fingerprintOf(recipient));
    if (found || !this.hasErased) return found;
    for (const pseudonym of this.pseudonyms) {
      const kept = this.recipients.get(this.recipients.fingerprintOf(pseudonym(recipient)));
      if (kept) return kept;
    }
    return undefined;
  }

  /**
   * Replaces what is known of the recipient, unless that is of a later revision: after a restore, or where partitions were added, the log's
   * order need not be that of the states. States without a revision are taken in the log's order.
   */
  put(recipient: string, { suppressed, reasons, changed_at, revision }: Suppression): void {
    if (isPseudonym(recipient)) this.hasErased = true;
    const of = this.recipients.fingerprintOf(recipient);
    const known = this.recipients.get(of);
    if (known && revision > 0 && known.revision > revision) return;
    let list = NO_REASON;
    if (suppressed && !reasons.some(({ scope }) => scope === 'all'))
      list = this.lists.push(list, this.kinds.take(UNSAID), changed_at);
    // The list begins with what was put last.
    for (const { since, ...kind } of reasons.toReversed())
      list = this.lists.push(list, this.kinds.take(kind), since);
    this.replace(of, known?.reasons, { revision, reasons: list });
  }

  /** `at`: when the record was written. Epoch milliseconds. */
  putUnreadable(recipient: string, at: number): void {
    const of = this.recipients.fingerprintOf(recipient);
    const list = this.lists.push(NO_REASON, this.kinds.take(UNREADABLE), at);
    this.replace(of, this.recipients.get(of)?.reasons, { revision: 0, reasons: list });
    this.unreadableCount += 1;
  }

  /** The recipient was erased. */
  delete(recipient: string): void {
    const of = this.recipients.fingerprintOf(recipient);
    const known = this.recipients.get(of);
    if (!known) return;
    this.recipients.delete(of);
    this.drop(known.reasons);
  }

  private replace(
    of: Fingerprint,
    before: number | undefined,
    now: { readonly revision: number; readonly reasons: number },
  ): void {
    this.recipients.set(of, now);
    if (before !== undefined) this.drop(before);
  }

  private drop(list: number): void {
    this.lists.drop(list, (kind) => {
      if (this.kinds.of(kind).reason === UNREADABLE.reason) this.unreadableCount -= 1;
      this.kinds.release(kind);
    });
  }
}
