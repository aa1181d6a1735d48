import type { EmailEvent, Suppression } from '@email-events/schemas';
import { figuresOf, groupedBy } from '../expected-figures.ts';
import { expectedMessages, type MessageRow } from '../expected-messages.ts';

/** What the questions are asked about. */
export interface Told {
  /** Those that count. */
  readonly events: readonly EmailEvent[];
  readonly forged: readonly EmailEvent[];
  readonly states: readonly Suppression[];
}

type Cell = string | number | boolean | null | readonly string[];
export interface Row {
  readonly [column: string]: Cell;
}

export type Answers = { readonly [question: string]: (told: Told) => Row[] };

/** Metrics by messages of campaigns, of all of them unless one is named. */
export function campaigns(
  events: readonly EmailEvent[],
  keys: readonly string[],
  metrics: readonly string[],
  campaign?: string,
): Row[] {
  return figures(
    campaign === undefined ? expectedMessages(events, 'campaign') : inCampaign(events, campaign),
    keys,
    metrics,
  );
}

export const inCampaign = (events: readonly EmailEvent[], campaign: string) =>
  expectedMessages(events, 'campaign').filter((row) => row.campaign === campaign);

export function daily(
  events: readonly EmailEvent[],
  keys: readonly string[],
  metrics: readonly string[],
): Row[] {
  const rows = expectedMessages(events).map((row) => ({ ...row, day: String(row.first_at).slice(0, 10) }));
  return figures(rows, keys, metrics);
}

export function figures(
  rows: readonly MessageRow[],
  keys: readonly string[],
  metrics: readonly string[],
): Row[] {
  return [...groupedBy(rows, ...keys).values()].map((group) => {
    const all = figuresOf(group);
    return Object.fromEntries([
      ...keys.map((key) => [key, String(group[0]?.[key])]),
      ...metrics.map((name) => [name, all[name] ?? null]),
    ]) as Row;
  });
}

export const reactionsOf = (rows: readonly MessageRow[]) =>
  rows.reduce((sum, row) => sum + Number(row.opens) + Number(row.clicks), 0);

export const keysOf = (rows: readonly MessageRow[]): Row[] =>
  [...new Set(rows.map((row) => String(row.recipient_key)))]
    .map((recipient_key): Row => ({ recipient_key }))
    .sort(by('recipient_key'));

export const distinct = <Each extends { readonly [column: string]: unknown }>(
  rows: readonly Each[],
  column: keyof Each,
) => new Set(rows.map((row) => row[column])).size;

export const share = (part: number, of: number) => (of === 0 ? null : part / of);

export const timeText = (at: number) => new Date(at).toISOString().replace('T', ' ').replace('Z', '');

/** As ORDER BY does: texts by their bytes, `-` downwards, null last. */
export function by(...columns: readonly string[]) {
  return (a: { readonly [column: string]: unknown }, b: { readonly [column: string]: unknown }): number => {
    for (const column of columns) {
      const [name, sign] = column.startsWith('-') ? [column.slice(1), -1] : [column, 1];
      const [x, y] = [a[name], b[name]];
      if (x === y) continue;
      if (x === null) return 1;
      if (y === null) return -1;
      const order =
        typeof x === 'number' && typeof y === 'number'
          ? x - y
          : Buffer.compare(Buffer.from(String(x)), Buffer.from(String(y)));
      if (order !== 0) return sign * order;
    }
    return 0;
  };
}
