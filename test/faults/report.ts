import Table from 'cli-table3';
import type { AnswerFigures } from './answers.ts';
import type { Finding } from './judge.ts';
import type { StandStill } from './stand-still.ts';
import { FAULT_KINDS, type FaultKind, isOfKafka, type Target } from './targets.ts';

/** One fault, as it went. */
export interface Survived {
  readonly kind: FaultKind;
  readonly target: Target;
  /** From the harm to the target's being itself again. Milliseconds. */
  readonly backMs: number;
  /** From the harm until all that lay before the services concerned is dealt with; undefined: not seen. */
  readonly caughtUpMs: number | undefined;
}

/** An instance that is of the next release now. */
export interface Upgraded {
  readonly instance: string;
  /** Whether it was killed, or stopped by SIGTERM. */
  readonly killed: boolean;
  /** When the old one ended and the new one took work, since the first request. Milliseconds. */
  readonly fromMs: number;
  readonly untilMs: number;
  /** Share of the events that were acknowledged when the old one ended. */
  readonly progress: number;
}

const PLAIN = { chars: {}, style: { head: [], border: [], compact: true } };

/** Faults survived, by target: how often each kind, and how long it took. Times overlap with those of other faults. */
export function renderSurvived(survived: readonly Survived[]): string {
  const table = new Table({
    ...PLAIN,
    head: ['', ...FAULT_KINDS, 'ended → back', 'ended → caught up (median · p95 · max)'],
  });
  for (const [target, of] of Map.groupBy(survived, (fault) => fault.target)) {
    // A broker is restarted as often as it is killed, and takes as long.
    const kills = of.filter(({ kind }) => kind === 'kill' || (kind === 'restart' && isOfKafka(target)));
    const caughtUp = kills.flatMap(({ caughtUpMs }) => caughtUpMs ?? []);
    table.push([
      target,
      ...FAULT_KINDS.map((kind) => of.filter((fault) => fault.kind === kind).length || ''),
      seconds(
        percentile(
          kills.map(({ backMs }) => backMs),
          0.5,
        ),
      ),
      [0.5, 0.95, 1].map((p) => seconds(percentile(caughtUp, p))).join(' · '),
    ]);
  }
  const kinds = FAULT_KINDS.map((kind) => survived.filter((fault) => fault.kind === kind).length);
  table.push(['all', ...kinds, '', '']);
  return table.toString();
}

export function renderFindings(findings: readonly Finding[]): string {
  const table = new Table({ ...PLAIN, head: ['', 'promise', 'checked', 'broken'] });
  for (const { promise, checked, violations } of findings) {
    table.push([violations.length === 0 ? '✓' : '✗', promise, checked, violations.length]);
  }
  const details = findings.flatMap(({ promise, violations }) =>
    violations.slice(0, 5).map((violation) => `  ${promise}: ${violation}`),
  );
  return [table.toString(), ...details].join('\n');
}

/** Longest time that each group stood still without an excuse, and with faults that excuse it. */
export function renderStandStills({
  standStills,
  heldUp,
}: {
  readonly standStills: readonly StandStill[];
  readonly heldUp: readonly StandStill[];
}): string {
  const table = new Table({
    ...PLAIN,
    head: ['group', 'stood still at most', 'on', 'held up by faults', 'on'],
  });
  const place = ({ ms, topic, partition, committed, end }: StandStill) =>
    ms === 0 ? '' : `${topic}/${partition} at ${committed} of ${end}`;
  for (const still of standStills) {
    const held = heldUp.find(({ group }) => group === still.group) ?? still;
    table.push([still.group, seconds(still.ms), place(still), seconds(held.ms), place(held)]);
  }
  return table.toString();
}

/** Which instances became another release, how and when, and how far the traffic was then. */
export function renderUpgrades(from: string, upgraded: readonly Upgraded[]): string {
  const table = new Table({ ...PLAIN, head: ['upgraded', 'by', 'at', 'took work again after', 'events'] });
  for (const { instance, killed, fromMs, untilMs, progress } of upgraded) {
    const share = `${Math.round(progress * 100)} %`;
    table.push([instance, killed ? 'kill -9' : 'SIGTERM', seconds(fromMs), seconds(untilMs - fromMs), share]);
  }
  const together = Math.max(0, ...upgraded.map(({ fromMs }) => fromMs)) - (upgraded[0]?.untilMs ?? 0);
  return [
    table.toString(),
    `${upgraded.length} instances upgraded from ${from}, which ran together with this release for ${seconds(Math.max(0, together))}`,
  ].join('\n');
}

/** How the ingress answered, as its senders saw it. */
export function renderAnswers({ byStatus, p50Ms, p99Ms, maxMs }: AnswerFigures): string {
  const statuses = Object.entries(byStatus).map(
    ([status, count]) => `${status === '0' ? 'no answer' : status}: ${count}`,
  );
  const times = [p50Ms, p99Ms, maxMs].map((ms) => `${ms.toFixed(1)} ms`).join(' · ');
  return `ingress: ${statuses.join(', ')}; answered within ${times} (median · p99 · longest)`;
}

/** How often a broker was ended, and how often anything else was killed. */
export function endsOf(survived: readonly Survived[]): {
  readonly brokerRestarts: number;
  readonly brokerKills: number;
  readonly otherKills: number;
} {
  const count = (kind: FaultKind, ofKafka: boolean) =>
    survived.filter((fault) => fault.kind === kind && isOfKafka(fault.target) === ofKafka).length;
  return {
    brokerRestarts: count('restart', true),
    // Two of them at once.
    brokerKills: count('kill', true) + 2 * count('outage', true),
    otherKills: count('kill', false),
  };
}

export function percentile(values: readonly number[], p: number): number | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * p))];
}

const seconds = (ms: number | undefined) => (ms === undefined ? '' : `${(ms / 1_000).toFixed(1)} s`);
