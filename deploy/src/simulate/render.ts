import { EVENT_TYPES } from '@email-events/schemas';
import { Presets, SingleBar } from 'cli-progress';
import Table from 'cli-table3';
import type { Progress, SimulationResult } from './tally.ts';

/** A run for people: what was sent, how it was answered, what must come out. */
export function renderSummary(result: SimulationResult): string {
  return [head(result), answers(result), events(result), suppressions(result), surprises(result)]
    .filter((part) => part !== '')
    .join('\n\n');
}

/** A bar for `onProgress`; call `stop` at the end. Shows nothing unless the stream is a terminal. */
export function createProgressBar(
  total: number,
  stream: NodeJS.WriteStream = process.stderr,
): { update(progress: Progress): void; stop(): void } {
  const format = 'sending {bar} {percentage}% · {events} events · {requests} requests · {rate}/s';
  const bar = new SingleBar({ format, stream, hideCursor: true, noTTYOutput: false }, Presets.shades_classic);
  bar.start(total, 0, { events: 0, requests: 0, rate: 0 });
  return {
    update: ({ distinct, events: acknowledged, requests, eventsPerSecond }) =>
      bar.update(Math.min(distinct, total), {
        events: count(acknowledged),
        requests: count(requests),
        rate: count(eventsPerSecond),
      }),
    stop: () => bar.stop(),
  };
}

const count = (number: number) => Math.round(number).toLocaleString('en');

function head(result: SimulationResult): string {
  const { runId, seed, requests, retries, seconds, eventsPerSecond, expected, aborted } = result;
  return [
    `Run ${runId} (seed ${seed})${aborted ? ', stopped early' : ''}: ${count(requests)} requests in ${seconds.toFixed(1)} s, ` +
      `${count(eventsPerSecond)} events/s${retries > 0 ? `, ${count(retries)} retries` : ''}.`,
    `${count(expected.received)} received = ${count(expected.emitted)} events + ${count(expected.duplicates)} duplicates + ` +
      `${count(expected.deadLettered)} dead letters.`,
  ].join('\n');
}

function answers({ byKind }: SimulationResult): string {
  const table = new Table({
    head: ['Request', 'sent', 'answered as expected'],
    ...LOOK,
  });
  for (const [kind, { requests, asExpected }] of Object.entries(byKind)) {
    table.push([kind, count(requests), count(asExpected)]);
  }
  return table.toString();
}

function events({ expected }: SimulationResult): string {
  const esps = Object.keys(expected.events).sort();
  const table = new Table({ head: ['Events', ...esps, 'all'], ...LOOK });
  for (const type of EVENT_TYPES) {
    const counts = esps.map((esp) => expected.events[esp]?.[type] ?? 0);
    const sum = counts.reduce((a, b) => a + b, 0);
    if (sum > 0) table.push([type, ...[...counts, sum].map(count)]);
  }
  return table.toString();
}

function suppressions({ expected: { suppressions: found, deadLetters } }: SimulationResult): string {
  const list = (counts: { readonly [name: string]: number }) =>
    Object.entries(counts)
      .map(([name, number]) => `${name} ${count(number)}`)
      .join(', ') || 'none';
  return [
    `Suppressed in the end: ${count(found.suppressed)} recipients (${list(found.byReason)}).`,
    `Dead letters: ${list(deadLetters)}.`,
  ].join('\n');
}

function surprises({ unexpected, surprises: first }: SimulationResult): string {
  if (unexpected === 0) return '';
  const lines = first.map(
    ({ index, esp, kind, expected, got }) =>
      `  request ${index} (${esp}, ${kind}): ${got || 'no answer'} instead of ${expected}`,
  );
  return [`${count(unexpected)} requests were answered otherwise than expected:`, ...lines].join('\n');
}

/** One line a row; figures to the right. */
const LOOK = {
  style: { head: [], border: [] },
  chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
  colAligns: ['left' as const, ...Array.from({ length: 8 }, () => 'right' as const)],
};
