import { counted, formatCount, renderTable } from '@email-events/cli/output';
import { EVENT_TYPES } from '@email-events/schemas';
import pc from 'picocolors';
import { CAMPAIGN_FIGURES } from '../../simulate/expectation.ts';
import { overlap } from '../../simulate/index.ts';
import type { Check } from './compare.ts';
import type { DemoResult } from './demo.ts';
import type { Row } from './found.ts';

/** Sent and found figures side by side. Figures that differ are red, the found one first. */
export async function renderReport(result: DemoResult): Promise<string> {
  const parts = [
    section('Sent', sentLine(result)),
    section('Events by type and ESP, out of ClickHouse', await eventsTable(result)),
    section('Deliverability', await deliverabilityTable(result)),
    section('Campaigns and variants', await campaignTable(result)),
    section('A/B comparison (all runs on this data)', await renderAbTable(result.found.abTests)),
    section('Suppressions', suppressionLines(result)),
    section('Do both ends agree?', await checkTable(result.checks)),
    verdict(result),
  ];
  return parts.join('\n\n');
}

const section = (title: string, body: string) => `${pc.bold(title)}\n${body}`;

function sentLine({ sent, drainSeconds }: DemoResult): string {
  const { expected, requests, seconds, eventsPerSecond, runId, seed } = sent;
  return [
    `run ${runId}, seed ${seed}: ${counted(requests, 'request')} in ${seconds.toFixed(1)} s (${formatCount(Math.round(eventsPerSecond))} events/s); through ${drainSeconds.toFixed(1)} s after the last one`,
    `${counted(expected.received, 'event')} = ${formatCount(expected.emitted)} distinct + ${counted(expected.duplicates, 'duplicate')} + ${formatCount(expected.deadLettered)} unreadable`,
    Object.entries(sent.byKind)
      .map(
        ([kind, { requests: all, asExpected }]) => `${kind} ${formatCount(asExpected)}/${formatCount(all)}`,
      )
      .join(' · '),
  ].join('\n');
}

function compared(found: number, expected: number): string | number {
  return found === expected ? found : pc.red(`${formatCount(found)} ≠ ${formatCount(expected)}`);
}

function eventsTable({ sent, found }: DemoResult): Promise<string> {
  const expected = sent.expected.events;
  const esps = [...new Set([...Object.keys(expected), ...Object.keys(found.events)])].sort();
  const rows = EVENT_TYPES.map((type) => {
    const pairs = esps.map((esp) => [found.events[esp]?.[type] ?? 0, expected[esp]?.[type] ?? 0] as const);
    const total = pairs.reduce(([a, b], [c, d]) => [a + c, b + d] as const, [0, 0] as const);
    return { type, pairs, total };
  }).filter(({ total }) => total[0] + total[1] > 0);
  return renderTable(
    ['type', ...esps, 'all'],
    rows.map(({ type, pairs, total }) => [
      type,
      ...[...pairs, total].map(([is, should]) => compared(is, should)),
    ]),
  );
}

function deliverabilityTable({ found }: DemoResult): Promise<string> {
  return renderTable(
    ['domain', 'delivered', 'hard bounces', 'soft bounces', 'dropped', 'complaints', 'delivery rate'],
    found.deliverability.map((row) => [
      String(row.recipient_domain),
      ...['delivered', 'bounced_hard', 'bounced_soft', 'dropped', 'complained'].map((name) =>
        Number(row[name]),
      ),
      percent(row.delivery_rate),
    ]),
  );
}

const SHOWN = CAMPAIGN_FIGURES.filter((figure) => figure !== 'queued');

function campaignTable({ sent, found }: DemoResult): Promise<string> {
  const expected = new Map(sent.expected.campaigns.map((row) => [`${row.campaign}\n${row.variant}`, row]));
  return renderTable(
    ['campaign', 'variant', ...SHOWN.map((figure) => (figure === 'machineOpened' ? 'by machines' : figure))],
    found.campaigns.map((row) => {
      const should = expected.get(`${row.campaign}\n${row.variant}`);
      return [
        row.campaign,
        row.variant ?? '',
        ...SHOWN.map((name) => compared(row[name], should?.[name] ?? 0)),
      ];
    }),
  );
}

function suppressionLines({ sent, found }: DemoResult): string {
  const { suppressed, byReason } = sent.expected.suppressions;
  const atCrm = suppressedOf(found.crm ?? found.suppressions);
  const where = found.crm ? 'at the CRM receiver' : 'in ClickHouse (there is no CRM)';
  const reasons = Object.entries(byReason).map(([reason, count]) => `${reason} ${formatCount(count)}`);
  return [
    `${counted(atCrm, 'recipient')} suppressed ${where}, ${formatCount(suppressed)} expected`,
    `active reasons: ${reasons.join(' · ') || 'none'}${overlap({ suppressed, byReason })}`,
  ].join('\n');
}

async function checkTable(checks: readonly Check[]): Promise<string> {
  const rows = checks.map(({ name, expected, found, agrees }) => [
    agrees ? pc.green('✓') : pc.red('✗'),
    name,
    expected,
    found,
  ]);
  const details = checks.flatMap((check) =>
    check.details.map((detail) => pc.red(`  ${check.name}: ${detail}`)),
  );
  return [await renderTable(['', '', 'expected', 'found'], rows), ...details].join('\n');
}

function verdict({ agrees, sent, checks }: DemoResult): string {
  if (agrees) {
    return pc.green(
      'All agree: received = emitted + duplicates + dead letters, and ClickHouse and the CRM hold exactly that.',
    );
  }
  const differing = checks.filter((check) => !check.agrees).length;
  const surprises = sent.surprises.map(
    ({ esp, kind, expected, got }) =>
      `  a ${kind} request of ${esp} was answered ${got || 'not at all'} instead of ${expected}`,
  );
  const answers =
    sent.unexpected > 0
      ? `, and ${counted(sent.unexpected, 'answer')} of the ingress ${sent.unexpected === 1 ? 'was' : 'were'} not as expected`
      : '';
  return [
    pc.red(
      `${differing} of ${counted(checks.length, 'check')} ${differing === 1 ? 'differs' : 'differ'}${answers}.`,
    ),
    ...surprises,
  ].join('\n');
}

const suppressedOf = (states: DemoResult['found']['suppressions']) =>
  [...states.values()].filter(({ suppressed }) => suppressed).length;

/** The same for programs; recipients are counted, not listed. */
export function reportJson({ sent, totals, found, checks, agrees, drainSeconds }: DemoResult): unknown {
  const { recipients, ...suppressions } = sent.expected.suppressions;
  return {
    agrees,
    checks,
    totals,
    drainSeconds,
    sent: {
      ...sent,
      expected: {
        ...sent.expected,
        suppressions: { ...suppressions, recipients: Object.keys(recipients).length },
      },
    },
    found: {
      ...found,
      suppressions: suppressedOf(found.suppressions),
      crm: found.crm && suppressedOf(found.crm),
    },
  };
}

/** Rows of `ab_comparison`: rates, how far they are from those of the other variants, and what that proves. */
export function renderAbTable(rows: readonly Row[]): Promise<string> {
  return renderTable(
    [
      ...['campaign', 'source', 'variant'],
      ...['open rate', 'above others by', 'p', 'verdict'],
      ...['click rate', 'above others by', 'p', 'verdict'],
    ],
    rows.map((row) => [
      ...[String(row.campaign), String(row.source), String(row.variant)],
      ...[percent(row.open_rate), between(row.open_difference_low, row.open_difference_high)],
      ...[chance(row.open_p_value), String(row.open_verdict)],
      ...[percent(row.click_rate), between(row.click_difference_low, row.click_difference_high)],
      ...[chance(row.click_p_value), String(row.click_verdict)],
    ]),
  );
}

/** A share: 0.123 → 12.3 %; nothing where there is none. */
export const percent = (rate: unknown): string => (typeof rate === 'number' ? `${points(rate)} %` : '');

/** A p-value. None is 0: what three digits cannot show is said to be less. */
const chance = (p: unknown): string => {
  if (typeof p !== 'number') return '';
  return p < 0.001 ? '<0.001' : p.toFixed(3);
};

/** Percentage points, from and to. */
const between = (low: unknown, high: unknown): string =>
  typeof low === 'number' && typeof high === 'number' ? `${signed(low)} to ${signed(high)}` : '';

const points = (rate: number) => (rate * 100).toFixed(1);
const signed = (rate: number) => (rate > 0 ? `+${points(rate)}` : points(rate).replace('-', '−'));
