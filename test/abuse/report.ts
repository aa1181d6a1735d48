import Table from 'cli-table3';
import { renderFindings } from '../faults/report.ts';
import { canaryTimes, quantile } from './judge.ts';
import { answersOf, lettersOf } from './judge-accounts.ts';
import type { AbuseRun } from './run.ts';

const PLAIN = { chars: {}, style: { head: [], border: [], compact: true } };
const MEBIBYTE = 1_048_576;

/** A run for people: what was done, what it cost, and what held. */
export function renderRun(run: AbuseRun): string {
  return [renderAttacks(run), renderFigures(run), renderFindings(run.findings)].join('\n\n');
}

function renderAttacks({ evidence: { hostile } }: AbuseRun): string {
  const table = new Table({ ...PLAIN, head: ['attack', 'ESPs', 'requests', 'kB', 'answers'] });
  for (const tally of hostile.tallies) {
    const { attack, esps, requests, bytes } = tally;
    table.push([attack.name, esps.size, requests, Math.round(bytes / 1_000), answersOf(tally)]);
  }
  return table.toString();
}

/** By name, for the table and for the file of results. */
export function figuresOf({ evidence, crm, backlogs, drainMs }: AbuseRun): {
  readonly [name: string]: number;
} {
  const { honest, hostile, topics, stores, memory, flood } = evidence;
  const [times, calmTimes] = [canaryTimes(evidence), canaryTimes(evidence, true)];
  const answers = honest.answers.toSorted((a, b) => a - b);
  const calm = (flood?.honest ?? []).map(({ tookMs }) => tookMs).sort((a, b) => a - b);
  const requests = hostile.tallies.reduce((sum, tally) => sum + tally.requests, 0);
  const bytes = hostile.tallies.reduce((sum, tally) => sum + tally.bytes, 0);
  const round = (value: number | undefined) => Math.round(value ?? -1);
  return {
    hostile_requests: requests,
    hostile_kB: round(bytes / 1_000),
    hostile_taken: hostile.taken.size,
    hostile_dead_letters: lettersOf(evidence).count,
    hostile_dead_letter_kB: round(lettersOf(evidence).bytes / 1_000),
    honest_requests: honest.result.requests,
    honest_retries: honest.result.retries,
    honest_events: honest.result.expected.emitted,
    honest_answer_p50_ms: round(quantile(answers, 0.5)),
    honest_answer_p99_ms: round(quantile(answers, 0.99)),
    calm_row_p50_ms: round(quantile(calmTimes, 0.5)),
    calm_row_p99_ms: round(quantile(calmTimes, 0.99)),
    honest_row_p50_ms: round(quantile(times, 0.5)),
    honest_row_p99_ms: round(quantile(times, 0.99)),
    honest_row_max_ms: round(times.at(-1)),
    events_received: topics.totals.received,
    events_duplicates: topics.totals.duplicates,
    rows: stores.rows,
    dead_letters: topics.letters.length,
    crm_passed: crm.passed,
    crm_answered_403: crm.blocked,
    crm_answered_500: crm.failed,
    drain_ms: round(drainMs),
    ...Object.fromEntries([...memory].map(([name, peak]) => [`${name}_peak_MiB`, round(peak / MEBIBYTE)])),
    ...Object.fromEntries([...backlogs].map(([group, records]) => [`${serviceOf(group)}_backlog`, records])),
    ...(flood
      ? {
          flood_requests_per_second: round(flood.sent / flood.seconds),
          flood_log_bytes_per_kB: round((flood.bytesLogged * 1_000) / flood.bytesSent),
          flood_honest_requests: flood.honest.length,
          flood_honest_answer_p99_ms: round(quantile(calm, 0.99)),
        }
      : {}),
  };
}

/** Groups have a prefix of the run's own. */
const serviceOf = (group: string) => /(?:normalize|events|sink-[a-z]+)$/.exec(group)?.[0] ?? group;

function renderFigures(run: AbuseRun): string {
  const figures = Object.entries(figuresOf(run));
  const width = Math.max(...figures.map(([name]) => name.length));
  const codes = Object.entries(
    Object.groupBy(run.evidence.topics.letters, ({ stage, code }) => `${stage} ${code}`),
  );
  return [
    ...figures.map(([name, value]) => `${name.padEnd(width)}  ${value}`),
    ...codes.map(([name, letters = []]) => `dead letters ${name}: ${letters.length}`),
  ].join('\n');
}
