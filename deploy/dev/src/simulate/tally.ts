import { counted, formatCount, renderTable } from '@email-events/cli/output';
import { EVENT_TYPES } from '@email-events/schemas';
import { Presets, SingleBar } from 'cli-progress';
import { type Expectation, Ledger } from './expectation.ts';
import type { Plan, PlannedRequest } from './plan.ts';

/** The result of a simulation, as plain JSON. */
export interface SimulationResult {
  readonly runId: string;
  readonly seed: number;
  /** Epoch milliseconds: the end of the simulated time. */
  readonly startTime: number;
  /** Stopped by the signal before the plan's end. */
  readonly aborted: boolean;
  readonly seconds: number;
  readonly requestsPerSecond: number;
  /** Acknowledged events, duplicates included. */
  readonly eventsPerSecond: number;
  readonly requests: number;
  /** Attempts after the first. */
  readonly retries: number;
  /** Attempts without an answer, or answered "later": what they brought may have been stored all the same. */
  readonly uncertain: number;
  /** Requests whose final answer was not the expected one. */
  readonly unexpected: number;
  /** The first of these. */
  readonly surprises: readonly Surprise[];
  readonly byEsp: { readonly [esp: string]: EspTally };
  readonly byKind: { readonly [kind: string]: KindTally };
  readonly expected: Expectation;
}

export interface EspTally {
  readonly requests: number;
  readonly events: number;
  /** Final answers by status; 0: none. */
  readonly statuses: { readonly [status: string]: number };
  readonly unexpected: number;
}

export interface KindTally {
  readonly requests: number;
  readonly asExpected: number;
}

export interface Surprise {
  readonly index: number;
  readonly esp: string;
  readonly kind: PlannedRequest['kind'];
  readonly expected: number;
  readonly got: number;
}

export interface Progress {
  readonly requests: number;
  readonly acknowledged: number;
  /** Acknowledged, duplicates included. */
  readonly events: number;
  /** Acknowledged and distinct, of `total`. */
  readonly distinct: number;
  readonly total: number;
  readonly eventsPerSecond: number;
}

const MAX_SURPRISES = 10;

/** Counts answers. */
export class Tally {
  retries = 0;
  uncertain = 0;
  readonly #plan: Plan['options'];
  readonly #startedAt = performance.now();
  readonly #ledger = new Ledger();
  readonly #byEsp: { [esp: string]: Counted<EspTally> & { statuses: { [status: string]: number } } } = {};
  readonly #byKind: { [kind: string]: Counted<KindTally> } = {};
  readonly #surprises: Surprise[] = [];
  readonly #sum = { requests: 0, acknowledged: 0, events: 0, unexpected: 0 };

  constructor(plan: Plan) {
    this.#plan = plan.options;
  }

  /** A request's final answer; status 0: none. */
  answered(planned: PlannedRequest, status: number): void {
    const { esp, kind, expected, index } = planned;
    const accepted = status === 200;
    const asExpected = status === expected.status;
    const events = accepted ? eventsIn(planned) : 0;
    if (accepted) this.#ledger.acknowledged(planned);
    this.#sum.requests++;
    this.#sum.acknowledged += accepted ? 1 : 0;
    this.#sum.events += events;
    this.#byEsp[esp] ??= { requests: 0, events: 0, statuses: {}, unexpected: 0 };
    this.#byKind[kind] ??= { requests: 0, asExpected: 0 };
    const [byEsp, byKind] = [this.#byEsp[esp], this.#byKind[kind]];
    byEsp.requests++;
    byEsp.events += events;
    byEsp.statuses[status] = (byEsp.statuses[status] ?? 0) + 1;
    byKind.requests++;
    if (asExpected) {
      byKind.asExpected++;
      return;
    }
    this.#sum.unexpected++;
    byEsp.unexpected++;
    if (this.#surprises.length < MAX_SURPRISES) {
      this.#surprises.push({ index, esp, kind, expected: expected.status, got: status });
    }
  }

  progress(): Progress {
    const { requests, acknowledged, events } = this.#sum;
    const distinct = this.#ledger.emitted;
    const total = this.#plan.events;
    return { requests, acknowledged, events, distinct, total, eventsPerSecond: events / this.#seconds() };
  }

  result(aborted: boolean): SimulationResult {
    const { runId, seed, startTime } = this.#plan;
    const { requests, events, unexpected } = this.#sum;
    const seconds = this.#seconds();
    return {
      ...{ runId, seed, startTime, aborted, seconds },
      requestsPerSecond: requests / seconds,
      eventsPerSecond: events / seconds,
      ...{ requests, retries: this.retries, uncertain: this.uncertain, unexpected },
      ...{ surprises: this.#surprises, byEsp: this.#byEsp, byKind: this.#byKind },
      expected: this.#ledger.result(),
    };
  }

  #seconds(): number {
    return Math.max(0.001, (performance.now() - this.#startedAt) / 1000);
  }
}

type Counted<T> = { -readonly [name in keyof T]: T[name] };

/** Events and dead letters that the request brings if it is accepted. */
export function eventsIn({ steps, expected }: PlannedRequest): number {
  return steps.reduce((sum, { message }) => sum + message.addressees.length, expected.deadLetters.length);
}

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
