import { renderTable } from '@email-events/cli/output';
import type { Row } from './found.ts';

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
