import type { MessageRow } from './expected-messages.ts';

/** Figures of messages, defined here anew: by the words of METRICS.md, not by its SQL. */
export function figuresOf(messages: readonly MessageRow[]): { readonly [metric: string]: number | null } {
  const ended = (...outcomes: string[]) =>
    messages.filter(({ outcome }) => outcomes.includes(outcome as string));
  const total = (column: string) => messages.reduce((sum, row) => sum + Number(row[column]), 0);
  const having = (column: string) => messages.filter((row) => Number(row[column]) > 0).length;
  const known = (column: string) => messages.filter((row) => row[column] !== null).length;
  const refused = ['policy', 'spam', 'content'];
  const counts = {
    sent: messages.length - ended('unknown').length,
    attempted: ended('delivered', 'hard_bounced', 'soft_bounced', 'dropped').length,
    delivered: ended('delivered').length,
    hard_bounced: ended('hard_bounced').length,
    soft_bounced: ended('soft_bounced').length,
    dropped: ended('dropped').length,
    blocked: ended('hard_bounced', 'soft_bounced').filter((row) =>
      refused.includes(row.bounce_category as string),
    ).length,
    deferred: having('deferrals'),
    opened: having('opens'),
    clicked: having('clicks'),
    opens: total('opens'),
    clicks: total('clicks'),
    unjudged_opens: total('unjudged_opens'),
    unjudged_clicks: total('unjudged_clicks'),
    machine_opens: total('machine_opens'),
    machine_clicks: total('machine_clicks'),
    complained: known('complained_at'),
    unsubscribed: known('unsubscribed_at'),
  };
  const share = (part: number, of: number) => (of === 0 ? null : part / of);
  return {
    ...counts,
    delivery_rate: share(counts.delivered, counts.attempted),
    hard_bounce_rate: share(counts.hard_bounced, counts.attempted),
    soft_bounce_rate: share(counts.soft_bounced, counts.attempted),
    drop_rate: share(counts.dropped, counts.attempted),
    block_rate: share(counts.blocked, counts.attempted),
    deferral_rate: share(counts.deferred, counts.sent),
    open_rate: share(counts.opened, counts.delivered),
    click_rate: share(counts.clicked, counts.delivered),
    click_to_open_rate: share(counts.clicked, counts.opened),
    complaint_rate: share(counts.complained, counts.delivered),
    unsubscribe_rate: share(counts.unsubscribed, counts.delivered),
    ...quantiles('time_to_open', secondsBetween(messages, 'delivered_at', 'opened_at')),
    ...quantiles('time_to_click', secondsBetween(messages, 'delivered_at', 'clicked_at')),
  };
}

function secondsBetween(messages: readonly MessageRow[], from: string, to: string): number[] {
  const at = (text: unknown) => Date.parse(`${(text as string).replace(' ', 'T')}Z`);
  return messages
    .filter((row) => row[from] !== null && row[to] !== null)
    .map((row) => (at(row[to]) - at(row[from])) / 1_000)
    .filter((seconds) => seconds >= 0)
    .sort((a, b) => a - b);
}

/** The value at that part of the way, of those there are. */
function quantiles(name: string, sorted: readonly number[]): { [metric: string]: number | null } {
  const at = (part: number) => sorted[Math.floor(part * sorted.length)] ?? null;
  return { [`${name}_p50`]: at(0.5), [`${name}_p90`]: at(0.9), [`${name}_p99`]: at(0.99) };
}

/** Rows by what these columns say. */
export function groupedBy<Row extends { readonly [column: string]: unknown }>(
  rows: readonly Row[],
  ...columns: readonly string[]
): Map<string, Row[]> {
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    const key = JSON.stringify(columns.map((column) => row[column]));
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  return groups;
}
