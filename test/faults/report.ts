import Table from 'cli-table3';
import type { Finding } from './judge.ts';
import { FAULT_KINDS, type FaultKind, type Target } from './schedule.ts';

/** One fault, as it went. */
export interface Survived {
  readonly kind: FaultKind;
  readonly target: Target;
  /** From the harm to the target's being itself again. Milliseconds. */
  readonly backMs: number;
  /** From the harm until all that lay before the services concerned is dealt with; undefined: not seen. */
  readonly caughtUpMs: number | undefined;
}

const PLAIN = { chars: {}, style: { head: [], border: [], compact: true } };

/** Faults survived, by target: how often each kind, and how long it took. Times overlap with those of other faults. */
export function renderSurvived(survived: readonly Survived[]): string {
  const table = new Table({
    ...PLAIN,
    head: ['', ...FAULT_KINDS, 'kill → back', 'kill → caught up (median · p95 · max)'],
  });
  for (const [target, of] of Map.groupBy(survived, (fault) => fault.target)) {
    const kills = of.filter(({ kind }) => kind === 'kill');
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

export function percentile(values: readonly number[], p: number): number | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * p))];
}

const seconds = (ms: number | undefined) => (ms === undefined ? '' : `${(ms / 1_000).toFixed(1)} s`);
