import { UNBEARABLE } from './crm.ts';
import type { Evidence, ReasonFound } from './evidence.ts';
import type { AttackTally, HostileSent } from './hostile.ts';

type States = ReadonlyMap<string, readonly ReasonFound[]>;

/** Honest accounts must find the rows that they would have found without the others, computed from what they sent. Pure. */
export function rowsWrong({ honest, stores }: Evidence): string[] {
  const { events } = honest.result.expected;
  const wanted = new Map(
    Object.entries(events).flatMap(([esp, types]) =>
      Object.entries(types).map(([type, n]) => [`${esp} ${type}`, n] as const),
    ),
  );
  const sources = new Set(Object.keys(events));
  const found = [...stores.bySource].filter(([key]) => sources.has(key.split(' ')[0] ?? ''));
  return differences(wanted, new Map(found));
}

/** Each event of the shops is one row, even if another account used its id before. */
export function shopsWrong({ shops, stores, flood }: Evidence): string[] {
  const told = [
    ...shops.flatMap(({ source, status, ids }) => ids.map((id) => ({ source, status, id }))),
    ...(flood?.honest ?? []),
  ];
  const acknowledged = told.filter(({ status }) => status === 200);
  const wanted = new Map(acknowledged.map(({ source, id }) => [`${source} ${id}`, 1] as const));
  return differences(wanted, stores.shopRows);
}

function differences(wanted: ReadonlyMap<string, number>, found: ReadonlyMap<string, number>): string[] {
  return [...new Set([...wanted.keys(), ...found.keys()])]
    .filter((key) => (wanted.get(key) ?? 0) !== (found.get(key) ?? 0))
    .map((key) => `${key}: ${found.get(key) ?? 0} instead of ${wanted.get(key) ?? 0}`);
}

/** Of every honest recipient what follows from honest reports alone, and of others at most what they may say. */
export function statesWrong(evidence: Evidence, found: States): string[] {
  const wanted = wantedStates(evidence);
  return [...new Set([...wanted.keys(), ...[...found.keys()].filter(isOfSimulator)])].flatMap((recipient) =>
    stateWrong(recipient, wanted.get(recipient) ?? [], found.get(recipient) ?? []),
  );
}

/** Attackers and shops make up addresses of this domain, where none of the simulator's people is. */
const isOfSimulator = (recipient: string) => !recipient.endsWith('@example.com');

/** The same of the CRM; of each state that it cannot take there must be a dead letter. Everything else is as the topic is. */
export function crmWrong(evidence: Evidence): string[] {
  const { shops, stores, topics } = evidence;
  const letters = topics.letters.filter(({ stage }) => stage === 'sink-crm');
  const missing = [...topics.suppressions]
    .filter(([recipient]) => !stores.crm.has(recipient))
    .map(([recipient]) => recipient);
  // Of a state there is one letter, or several if it changed meanwhile.
  const enough = letters.length >= missing.length;
  return [
    ...statesWrong({ ...evidence, shops: shops.filter(({ unbearable }) => !unbearable) }, stores.crm),
    ...(enough ? [] : [`${missing.length} states are not at the CRM, with ${letters.length} dead letters`]),
    ...missing.filter(isHarmless).map((recipient) => `${recipient}: not at the CRM`),
  ];
}

/** Whether no firewall and no fault of the CRM is in the way of this recipient. */
const isHarmless = (recipient: string) => !recipient.startsWith(UNBEARABLE) && !MARKED.test(recipient);
/** Recipients whose states carry what the firewall refuses: made by attacks on texts, and by the shops' bounces. */
const MARKED = /^(?:script|odd|customer\.)/;

/** Texts of reasons, by recipient key. */
function wantedStates({ honest, shops }: Evidence): Map<string, readonly string[]> {
  const { recipients } = honest.result.expected.suppressions;
  const wanted = new Map(Object.entries(recipients).map(([key, { reasons }]) => [key, reasons] as const));
  for (const { recipient, reason, status } of shops) if (status === 200) wanted.set(recipient, [reason]);
  return wanted;
}

/** The names of hostile accounts; all that they say is marked as theirs. */
const OF_OTHERS = /^(?:hostile|leaked)-/;
const OWN_STREAMS = 'account:hostile';

function stateWrong(recipient: string, wanted: readonly string[], found: readonly ReasonFound[]): string[] {
  const texts = new Set(found.map(textOf));
  const surplus = found.filter((reason) => !wanted.includes(textOf(reason)) && !isTheirs(reason));
  return [
    ...wanted.filter((text) => !texts.has(text)).map((text) => `${recipient}: ${text} is missing`),
    ...surplus.map((reason) => `${recipient}: ${textOf(reason)} by ${reason.source}`),
  ];
}

function isTheirs({ scope, source }: ReasonFound): boolean {
  if (!OF_OTHERS.test(source)) return false;
  // An account that may suppress its own streams only can say no more than that.
  return (
    source.startsWith('leaked-') ||
    scope === OWN_STREAMS ||
    (scope !== 'all' && !scope.startsWith('account:'))
  );
}

const textOf = ({ reason, scope }: ReasonFound) => (scope === 'all' ? reason : `${reason}:${scope}`);

/** The report of each campaign, as far as it is of an honest source. */
export function campaignsWrong({ honest, stores }: Evidence): string[] {
  if (honest.campaigns.size === 0) return ['no honest campaign was sent'];
  return [...honest.campaigns].flatMap(([key, { complained, unsubscribed, clickers, clicks }]) => {
    const wanted = {
      ...{ complained: complained.size, unsubscribed: unsubscribed.size },
      ...{ clicked: clickers.size, clicks },
    };
    const found = stores.campaigns.get(key);
    if (!found) return [`${key} is in no report`];
    return (Object.keys(wanted) as (keyof typeof wanted)[])
      .filter((name) => wanted[name] !== found[name])
      .map((name) => `${key}: ${name} ${found[name]} instead of ${wanted[name]}`);
  });
}

/** Items of a request that are dead letters one by one, and one for the rest (`normalize.maxDeadLetters`). */
const MAX_LETTERS = 101;
/** Bytes on email.dead-letters for one byte that hostile accounts sent: a letter carries the request it is of. */
const MAX_LETTER_RATIO = 20;

/** A forged request must be refused; an attack with genuine requests proves nothing if none got in. Pure. */
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

/** Requests of honest sources in email.raw that no honest account sent. */
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
