import { counted, formatCount, renderTable } from '@email-events/cli/output';
import { EVENT_TYPES } from '@email-events/schemas';
import { Presets, SingleBar } from 'cli-progress';
import type { Progress, SimulationResult } from './tally.ts';

/** A run for people: what was sent, how it was answered, what must come out. */
export async function renderSummary(result: SimulationResult): Promise<string> {
  const tables = await Promise.all([answers(result), events(result)]);
  return [head(result), ...tables, suppressions(result), surprises(result)]
    .filter((part) => part !== '')
    .join('\n\n');
}

/** A bar for `onProgress`; call `stop` at the end, which takes it away. Shows nothing unless the stream is a terminal. */
export function createProgressBar(
  total: number,
  stream: NodeJS.WriteStream = process.stderr,
): { update(progress: Progress): void; stop(): void } {
  const format = 'sending {bar} {percentage}% · {events} events · {requests} requests · {rate}/s';
  const options = { format, stream, hideCursor: true, noTTYOutput: false, clearOnComplete: true };
  const bar = new SingleBar(options, Presets.shades_classic);
  bar.start(total, 0, { events: 0, requests: 0, rate: 0 });
  return {
    update: ({ distinct, events: acknowledged, requests, eventsPerSecond }) =>
      bar.update(Math.min(distinct, total), {
        events: formatCount(acknowledged),
        requests: formatCount(requests),
        rate: formatCount(Math.round(eventsPerSecond)),
      }),
    stop: () => bar.stop(),
  };
}

function head(result: SimulationResult): string {
  const { runId, seed, requests, retries, seconds, eventsPerSecond, expected, aborted } = result;
  return [
    `Run ${runId} (seed ${seed})${aborted ? ', stopped early' : ''}: ${counted(requests, 'request')} in ${seconds.toFixed(1)} s, ` +
      `${formatCount(Math.round(eventsPerSecond))} events/s${retries > 0 ? `, ${counted(retries, 'retry', 'retries')}` : ''}.`,
    `${formatCount(expected.received)} received = ${counted(expected.emitted, 'event')} + ${counted(expected.duplicates, 'duplicate')} + ` +
      `${counted(expected.deadLettered, 'dead letter')}.`,
  ].join('\n');
}

function answers({ byKind }: SimulationResult): Promise<string> {
  return renderTable(
    ['request', 'sent', 'answered as expected'],
    Object.entries(byKind).map(([kind, { requests, asExpected }]) => [kind, requests, asExpected]),
  );
}

function events({ expected }: SimulationResult): Promise<string> {
  const esps = Object.keys(expected.events).sort();
  const rows = EVENT_TYPES.flatMap((type) => {
    const counts = esps.map((esp) => expected.events[esp]?.[type] ?? 0);
    const sum = counts.reduce((a, b) => a + b, 0);
    return sum > 0 ? [[type, ...counts, sum]] : [];
  });
  return renderTable(['events', ...esps, 'all'], rows);
}

function suppressions({ expected: { suppressions: found, deadLetters } }: SimulationResult): string {
  const list = (counts: { readonly [name: string]: number }) =>
    Object.entries(counts)
      .map(([name, number]) => `${name} ${formatCount(number)}`)
      .join(', ') || 'none';
  return [
    `Suppressed in the end: ${counted(found.suppressed, 'recipient')}.`,
    `Reasons: ${list(found.byReason)}${overlap(found)}.`,
    `Dead letters: ${list(deadLetters)}.`,
  ].join('\n');
}

function surprises({ unexpected, surprises: first }: SimulationResult): string {
  if (unexpected === 0) return '';
  const lines = first.map(
    ({ index, esp, kind, expected, got }) =>
      `  request ${index} (${esp}, ${kind}): ${got || 'no answer'} instead of ${expected}`,
  );
  const what = unexpected === 1 ? '1 request was' : `${formatCount(unexpected)} requests were`;
  return [`${what} answered otherwise than expected:`, ...lines].join('\n');
}

/** Why the counts by reason are not those of the suppressed; nothing where they are. */
export function overlap({
  suppressed,
  byReason,
}: Pick<SimulationResult['expected']['suppressions'], 'suppressed' | 'byReason'>): string {
  const reasons = Object.values(byReason).reduce((sum, count) => sum + count, 0);
  if (reasons === suppressed) return '';
  return ' (they overlap: a recipient may have several, and those of one stream suppress for that stream alone)';
}
