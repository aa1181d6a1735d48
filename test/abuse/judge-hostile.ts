import type { AttackTally, HostileSent } from './hostile.ts';
import type { Evidence } from './judge.ts';

/** Items of a request that are dead letters one by one, and one for the rest (`normalize.maxDeadLetters`). */
const MAX_LETTERS = 101;
/** Bytes on email.dead-letters for one byte that hostile accounts sent: a letter carries the request it is of. */
const MAX_LETTER_RATIO = 20;

/** What is not genuine must be refused; what is genuine and never got in proves nothing. Pure. */
export function answersWrong({ tallies }: HostileSent): string[] {
  return tallies.flatMap((tally) => {
    const { name, answer } = tally.attack;
    const good = [...tally.statuses].filter(([status]) => status >= 200 && status < 300);
    const taken = good.reduce((sum, [, count]) => sum + count, 0);
    if (answer === 'refused' && taken > 0) return [`${name}: ${taken} were taken`];
    if (answer === 'taken' && tally.requests > 0 && taken === 0) return [`${name}: ${answersOf(tally)}`];
    return [];
  });
}

export const answersOf = ({ statuses }: AttackTally) =>
  [...statuses]
    .sort(([a], [b]) => a - b)
    .map(([status, count]) => `${status || 'none'}: ${count}`)
    .join(', ');

/** Requests of honest sources in email.raw that nobody honest sent. */
export function intruders({ honest, hostile, shops, topics, flood }: Evidence): string[] {
  const known = new Set([
    ...honest.sentAt.keys(),
    ...honest.repeated,
    ...hostile.taken.keys(),
    ...shops.map(({ requestId }) => requestId),
    ...(flood?.honest ?? []).map(({ requestId }) => requestId),
  ]);
  const lost = [...known].filter((id): id is string => id !== null && !topics.raw.has(id));
  // An attempt that was given up may be there without an answer.
  const excused = honest.result.uncertain + unanswered(hostile);
  const strange = [...topics.raw].filter(([id]) => !known.has(id));
  return [
    ...lost.map((id) => `request ${id} was acknowledged and is not there`),
    ...(strange.length > excused
      ? strange
          .slice(excused)
          .map(([id, source]) => `request ${id} of ${source} is there, and nobody got a 200 for it`)
      : []),
  ];
}

const unanswered = ({ tallies }: HostileSent) =>
  tallies.reduce((sum, { statuses }) => sum + (statuses.get(0) ?? 0) + (statuses.get(503) ?? 0), 0);

export function letterBounds({ hostile, topics }: Evidence): string[] {
  const { count, bytes, most } = lettersOf({ hostile, topics });
  const sent = [...hostile.taken.values()].reduce((sum, each) => sum + each, 0);
  return [
    ...most.filter(([, n]) => n > MAX_LETTERS).map(([id, n]) => `request ${id} came to ${n} dead letters`),
    ...(bytes > MAX_LETTER_RATIO * sent
      ? [`${count} dead letters of ${bytes} bytes come of ${sent} bytes`]
      : []),
  ];
}

/** Dead letters of normalize and events that hostile requests came to; `most`: by request, the most first. */
export function lettersOf({ hostile, topics }: Pick<Evidence, 'hostile' | 'topics'>): {
  readonly count: number;
  readonly bytes: number;
  readonly most: readonly (readonly [string, number])[];
} {
  const byRequest = new Map<string, number>();
  let [count, bytes] = [0, 0];
  for (const letter of topics.letters) {
    const { requestId, stage } = letter;
    if (requestId === null || !hostile.taken.has(requestId) || stage.startsWith('sink-')) continue;
    byRequest.set(requestId, (byRequest.get(requestId) ?? 0) + 1);
    count++;
    bytes += letter.bytes;
  }
  return { count, bytes, most: [...byRequest].sort(([, a], [, b]) => b - a) };
}
