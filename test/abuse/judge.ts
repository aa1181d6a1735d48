import type { Finding } from '../faults/judge.ts';
import { backlogIn } from '../src/invariants.ts';
import type { Evidence, LetterFound } from './evidence.ts';
import type { FloodFound } from './hostile.ts';
import {
  answersWrong,
  campaignsWrong,
  crmWrong,
  intruders,
  letterBounds,
  rowsWrong,
  shopsWrong,
  statesWrong,
} from './judge-accounts.ts';

/** The limits of a run; undefined: the value is told and not judged, as where others use the machine. */
export interface Limits {
  readonly memoryBytes?: number;
  /** From the sending to the row, of 99 in 100 honest requests. Milliseconds. */
  readonly canaryP99Ms?: number;
}

/** Everything that must hold after any attack. An empty list of violations means that it does. Pure. */
export function judge(evidence: Evidence, limits: Limits = {}): Finding[] {
  const { honest, hostile, shops, topics, stores, positions, memory, restarts, flood } = evidence;
  const hostileTaken = hostile.taken.size;
  const finding = (promise: string, checked: number, violations: readonly string[]): Finding => ({
    ...{ promise, checked, violations },
  });
  const { recipients } = honest.result.expected.suppressions;
  const states = Object.keys(recipients).length + shops.length;
  const told = shops.reduce((sum, { ids }) => sum + ids.length, 0);
  return [
    finding('honest requests are answered with 200', honest.answers.length, unanswered(evidence)),
    finding(
      'ClickHouse: rows by source and type as without hostile accounts',
      honest.result.expected.emitted,
      rowsWrong(evidence),
    ),
    finding('an id that another account used takes nobody’s event', told, shopsWrong(evidence)),
    finding('suppressions: the topic', states, statesWrong(evidence, topics.suppressions)),
    finding('suppressions: ClickHouse', states, statesWrong(evidence, stores.suppressions)),
    finding('suppressions: the CRM, but for what it cannot take', states, crmWrong(evidence)),
    finding('campaigns by source', honest.campaigns.size, campaignsWrong(evidence)),
    finding('nothing stands still: every group has committed all', positions.length, [
      ...(positions.length === 0 ? ['the groups could not be read'] : []),
      ...backlogIn(positions),
    ]),
    finding('received = emitted + duplicates + dead-lettered', topics.totals.received, imbalance(evidence)),
    finding('what is not genuine is refused, what is gets in', attempts(evidence), answersWrong(hostile)),
    finding('nothing is in email.raw that was not answered with 200', topics.raw.size, intruders(evidence)),
    finding('dead letters of a hostile request are bounded', hostileTaken, letterBounds(evidence)),
    finding('no service ended', restarts.size, ended(restarts)),
    finding('memory of every service', memory.size, memoryAbove(memory, limits)),
    finding('honest requests become rows in time', honest.sentAt.size, late(evidence, limits)),
    ...(flood ? [finding('a flood of unsigned requests', flood.sent, floodWrong(flood))] : []),
  ];
}

const attempts = ({ hostile: { tallies } }: Evidence) =>
  tallies.reduce((sum, { requests }) => sum + requests, 0);

function unanswered({ honest: { result }, shops }: Evidence): string[] {
  const refused = shops.filter(({ status }) => status !== 200);
  return [
    ...(result.requests === 0 ? ['nothing was sent'] : []),
    ...result.surprises.map(({ esp, got }) => `${esp}: ${got || 'no answer'} in the end`),
    ...refused.map(({ source, ids, status }) => `${source} ${ids[0]}: ${status || 'no answer'}`),
  ];
}

function imbalance({ topics, stores }: Evidence): string[] {
  const { totals, emitted, normalized, letters } = topics;
  const equal = (what: string, a: number, b: number) => (a === b ? [] : [`${what}: ${a} and ${b}`]);
  const ofEvents = letters.filter(({ stage }) => stage === 'events').length;
  const notInserted = letters.filter(({ stage, code }) => isOfRow(stage, code)).length;
  return [
    ...equal('events normalized, received', normalized, totals.received),
    ...equal(
      'received, emitted + duplicates + dead-lettered',
      totals.received,
      totals.emitted + totals.duplicates + totals.deadLettered,
    ),
    ...equal('emitted, records on the typed topics', totals.emitted, emitted),
    ...equal('dead-lettered, dead letters of events', totals.deadLettered, ofEvents),
    ...equal(
      'records on the typed topics, rows and dead letters of them',
      emitted,
      stores.rows + notInserted,
    ),
    ...equal('rows, distinct events', stores.rows, stores.distinct),
    ...equal('rows, events in the rollup', stores.rows, stores.rolledUp),
    ...equal('dead letters on the topic, in ClickHouse', letters.length, stores.letters),
  ];
}

const isOfRow = (stage: LetterFound['stage'], _code: string) => stage === 'sink-clickhouse';

function ended(restarts: ReadonlyMap<string, number>): string[] {
  return [...restarts].flatMap(([name, times]) => (times > 0 ? [`${name} ended ${times} times`] : []));
}

const MEBIBYTE = 1_048_576;

function memoryAbove(memory: ReadonlyMap<string, number>, { memoryBytes }: Limits): string[] {
  if (memory.size === 0) return ['nobody looked'];
  if (memoryBytes === undefined) return [];
  return [...memory].flatMap(([name, bytes]) =>
    bytes <= memoryBytes ? [] : [`${name}: ${Math.round(bytes / MEBIBYTE)} MiB`],
  );
}

/** From the sending to the row of each honest request that has one, during the attacks or before; milliseconds, sorted. */
export function canaryTimes({ honest, shops, stores, hostileSince }: Evidence, calm = false): number[] {
  const sent = [
    ...honest.sentAt,
    ...shops.map(({ requestId, sentAt }) => [requestId ?? '', sentAt] as const),
  ];
  return sent
    .filter(([, sentAt]) => sentAt < hostileSince === calm)
    .flatMap(([id, sentAt]) => {
      const at = stores.insertedAt.get(id);
      return at === undefined ? [] : [at - sentAt];
    })
    .sort((a, b) => a - b);
}

export const quantile = (sorted: readonly number[], p: number) =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * p))];

/** That all rows are there is another promise: of an event that is told twice, either request may be the one with the row. */
function late(evidence: Evidence, { canaryP99Ms }: Limits): string[] {
  const p99 = quantile(canaryTimes(evidence), 0.99);
  if (p99 === undefined) return ['no honest request has a row'];
  if (canaryP99Ms === undefined || p99 <= canaryP99Ms) return [];
  return [`99 in 100 take up to ${(p99 / 1_000).toFixed(1)} s`];
}

function floodWrong({ sent, bytesSent, bytesLogged, honest, accepted }: FloodFound): string[] {
  const refused = honest.filter(({ status }) => status !== 200);
  return [
    ...(sent === 0 ? ['nothing was sent'] : []),
    ...(accepted > 0 ? [`${accepted} unsigned requests got 2xx`] : []),
    ...(bytesLogged > bytesSent ? [`${bytesLogged} bytes logged for ${bytesSent} bytes sent`] : []),
    ...(honest.length === 0 ? ['no honest request was sent meanwhile'] : []),
    ...refused.map(({ status }) => `an honest request got ${status || 'no answer'}`),
  ];
}
