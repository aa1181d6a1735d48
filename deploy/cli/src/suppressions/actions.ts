import { createHash } from 'node:crypto';
import type { OperatorAction } from '@email-events/schemas';

/** Who orders, when (epoch milliseconds) and why. */
export interface Order {
  readonly by: string;
  readonly at: number;
  readonly why: string;
}

/** Reasons that a recipient may be suppressed for. */
export const REASONS = ['hard_bounce', 'complaint', 'unsubscribe', 'soft_bounces', 'manual'] as const;

/** Send nothing to the recipient, or nothing of a stream. */
export function suppress(recipient: string, scope: string, order: Order): OperatorAction {
  return action({ ...BLANK, ...order, kind: 'suppress', recipient, scope });
}

/** What is known up to now does not count any more: all of it, or of one reason or scope (null: every one). */
export function lift(
  recipient: string,
  { reason, scope }: { readonly reason: string | null; readonly scope: string | null },
  order: Order,
): OperatorAction {
  return action({ ...BLANK, ...order, kind: 'lift', recipient, reason, scope });
}

/** What a source said; epoch milliseconds of its reception, `to` is exclusive. */
export interface SaidBySource {
  readonly source: string;
  readonly from: number;
  readonly to: number;
}

/**
 * What a source said of the recipient in a time does not count, whenever it comes. It is for good, so the same words again are
 * the same action, whoever says them: an order that was cut short can be given again.
 */
export function retract(recipient: string, said: SaidBySource, order: Order): OperatorAction {
  const { source, from, to } = said;
  return {
    ...{ ...BLANK, ...order, kind: 'retract', recipient, source, from, to },
    action_id: retractId(recipient, said),
  };
}

export const retractId = (recipient: string, { source, from, to }: SaidBySource): string =>
  idOf(['retract', recipient, source, from, to]);

const BLANK = {
  ...{ reason: null, scope: null, source: null, from: null, to: null },
  ...{ changed: null, taken_at: null },
} as const;

function action(said: Omit<OperatorAction, 'action_id'>): OperatorAction {
  const { kind, recipient, at, by, why, reason, scope } = said;
  return { ...said, action_id: idOf([kind, recipient, at, by, why, reason, scope]) };
}

/** 32 hex digits, as event ids are. */
const idOf = (parts: readonly (string | number | null)[]): string =>
  createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32);
