import type { EmailEvent, Suppression } from '@email-events/schemas';
import { type EvidenceRow, gives, labelOf } from './evidence-rows.ts';
import { type ItemPlace, placeOf } from './readings.ts';

type Reason = Suppression['reasons'][number];

/** An active reason of a recipient. */
export interface ActiveReason {
  readonly recipient: string;
  readonly reason: Reason;
}

/** A suppression that today's mapping would not make. */
export interface NotMade extends ActiveReason {
  /** How its event was read when it came, and how its item is read today. */
  readonly before: string;
  readonly today: string;
}

export interface Judgement {
  readonly notMade: readonly NotMade[];
  /** Reasons that some event still gives. */
  readonly stillMade: number;
  /** Reasons of which nobody can tell: the event or its request is not there any more, or the reason is not one event’s. */
  readonly unknown: number;
}

/** Reasons that one event gives by itself: of a run of soft bounces, or an operator's word, no mapping decides. */
export const isJudged = ({ reason, scope }: Reason): boolean =>
  reason === 'hard_bounce' ||
  reason === 'complaint' ||
  (reason === 'unsubscribe' && scope !== '*' && !scope.startsWith('account:'));

/** What has to be read again to judge the reasons: everything that may give them. */
export function placesToRead(
  reasons: readonly ActiveReason[],
  evidence: ReadonlyMap<string, readonly EvidenceRow[]>,
): ItemPlace[] {
  return reasons.flatMap(({ recipient, reason }) =>
    isJudged(reason) ? (evidence.get(recipient) ?? []).filter((row) => gives(row, reason)) : [],
  );
}

/**
 * Pure. A reason is not made any more if each event that gave it is there, can be read again, and is read as something else. Whoever
 * is suppressed stays so in doubt.
 */
export function judge(
  reasons: readonly ActiveReason[],
  evidence: ReadonlyMap<string, readonly EvidenceRow[]>,
  readings: ReadonlyMap<string, readonly EmailEvent[]>,
  keyOf: (event: EmailEvent) => string,
): Judgement {
  const notMade: NotMade[] = [];
  let [stillMade, unknown] = [0, 0];
  for (const { recipient, reason } of reasons) {
    const rows = (evidence.get(recipient) ?? []).filter((row) => gives(row, reason));
    const named = rows.find(({ event_id }) => event_id === reason.event_id);
    const readAgain = (row: EvidenceRow) =>
      readings.get(placeOf(row))?.filter((event) => keyOf(event) === recipient);
    const again = rows.map(readAgain);
    if (again.some((events) => events?.some((event) => gives(event, reason)))) stillMade++;
    else if (!isJudged(reason) || !named || again.includes(undefined)) unknown++;
    else {
      const own = readAgain(named) ?? [];
      const today = own.length === 0 ? 'nothing' : own.map(labelOf).join('; ');
      notMade.push({ recipient, reason, before: labelOf(named), today });
    }
  }
  return { notMade, stillMade, unknown };
}
