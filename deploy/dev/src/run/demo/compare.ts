import type { Totals } from '@email-events/cli/status/totals';
import { CAMPAIGN_FIGURES, type Expectation } from '../../simulate/expectation.ts';
import type { Found, SuppressionsFound } from './found.ts';

/** One figure that must be equal at both ends. */
export interface Check {
  readonly name: string;
  readonly expected: number;
  readonly found: number;
  readonly agrees: boolean;
  /** The first differences, for checks of many figures. Without addresses. */
  readonly details: readonly string[];
}

const MAX_DETAILS = 10;

/**
 * Everything that must agree for a run to be right. `totals`: what the pipeline counted during the run.
 * `copies`: an attempt was answered "later" or not at all, or a request went through the ingress's spool, so the pipeline
 * may have got some requests more than once. Then more may be received, and dropped as duplicates, than was sent on
 * purpose; what comes out must be equal all the same.
 */
export function compare(expected: Expectation, totals: Totals, found: Found, copies = false): Check[] {
  const deadLetters = totals.deadLetters;
  const counted = copies ? atLeast : figure;
  const countedCells = copies ? atLeastCells : cells;
  return [
    counted('received', expected.received, totals.items),
    figure(
      'received = emitted + duplicates + dead letters',
      totals.items,
      totals.emitted + totals.duplicates + deadLetters,
    ),
    figure('emitted', expected.emitted, totals.emitted),
    counted('duplicates', expected.duplicates, totals.duplicates),
    counted('dead letters', expected.deadLettered, deadLetters),
    figure('dead letters of sinks', 0, totals.sinkDeadLetters),
    figure('ClickHouse: rows', totals.emitted, totals.rows),
    figure('ClickHouse: rollup', totals.emitted, totals.rollup),
    figure('ClickHouse: rows that share an event id', 0, found.repeated),
    cells('ClickHouse: rows by ESP and type', flat(expected.events), flat(found.events)),
    countedCells('ClickHouse: dead letters by code', expected.deadLetters, found.deadLetters),
    cells('ClickHouse: campaigns and variants', campaigns(expected.campaigns), campaigns(found.campaigns)),
    suppressions('ClickHouse: suppressed recipients and why', expected, found.suppressions),
    ...(found.crm ? [suppressions('CRM: suppressed recipients and why', expected, found.crm)] : []),
  ];
}

/** True once all that the pipeline counts is what was sent: nothing more is to come. */
export function isComplete(expected: Expectation, totals: Totals, copies = false): boolean {
  const reached = (found: number, wanted: number) => (copies ? found >= wanted : found === wanted);
  return (
    reached(totals.items, expected.received) &&
    totals.emitted === expected.emitted &&
    reached(totals.duplicates, expected.duplicates) &&
    reached(totals.deadLetters, expected.deadLettered) &&
    totals.rows === expected.emitted &&
    totals.rollup === expected.emitted
  );
}

const figure = (name: string, expected: number, found: number): Check => ({
  name,
  expected,
  found,
  agrees: expected === found,
  details: [],
});

const atLeast = (name: string, expected: number, found: number): Check => ({
  name: `${name} (at least)`,
  expected,
  found,
  agrees: found >= expected,
  details: [],
});

type Counts = { readonly [name: string]: number };

/** A table of figures: the check's own numbers are the sums. */
function cells(name: string, expected: Counts, found: Counts): Check {
  const names = [...new Set([...Object.keys(expected), ...Object.keys(found)])].sort();
  const details = names
    .filter((key) => (expected[key] ?? 0) !== (found[key] ?? 0))
    .map((key) => `${key}: ${found[key] ?? 0} instead of ${expected[key] ?? 0}`);
  return {
    name,
    expected: sum(expected),
    found: sum(found),
    agrees: details.length === 0,
    details: details.slice(0, MAX_DETAILS),
  };
}

function atLeastCells(name: string, expected: Counts, found: Counts): Check {
  const missing = Object.keys(expected).filter((key) => (found[key] ?? 0) < (expected[key] ?? 0));
  const details = missing.map((key) => `${key}: ${found[key] ?? 0} instead of ${expected[key] ?? 0}`);
  const agrees = missing.length === 0;
  return { name: `${name} (at least)`, expected: sum(expected), found: sum(found), agrees, details };
}

const sum = (counts: Counts) => Object.values(counts).reduce((a, b) => a + b, 0);

function flat(events: { readonly [esp: string]: Counts }): Counts {
  return Object.fromEntries(
    Object.entries(events).flatMap(([esp, types]) =>
      Object.entries(types).map(([type, count]) => [`${esp} ${type}`, count]),
    ),
  );
}

function campaigns(rows: Expectation['campaigns']): Counts {
  return Object.fromEntries(
    rows.flatMap((row) =>
      CAMPAIGN_FIGURES.map((figureName) => [
        [row.campaign, row.variant, figureName].filter(Boolean).join(' '),
        row[figureName],
      ]),
    ),
  );
}

function suppressions(name: string, { suppressions: wanted }: Expectation, found: SuppressionsFound): Check {
  const text = (state: { suppressed: boolean; reasons: readonly string[] } | undefined) =>
    state === undefined || state.reasons.length === 0
      ? 'nothing'
      : `${state.suppressed ? 'all' : 'part'} (${state.reasons.join(', ')})`;
  const recipients = new Set([...Object.keys(wanted.recipients), ...found.keys()]);
  const details = [...recipients]
    .map((recipient) => [text(wanted.recipients[recipient]), text(found.get(recipient))] as const)
    .filter(([should, is]) => should !== is)
    .map(([should, is]) => `a recipient: ${is} instead of ${should}`);
  return {
    name,
    expected: wanted.suppressed,
    found: [...found.values()].filter(({ suppressed }) => suppressed).length,
    agrees: details.length === 0,
    details: details.slice(0, MAX_DETAILS),
  };
}
