import { PipelineError } from '@email-events/core';

/** Of a row: what it is together with, within its table. Undefined: all rows of the table. */
export type Cut = (occurredAt: number | undefined) => string | undefined;

/**
 * Ways to cut a batch into pieces, each of which is one insert under a token of its own. A way that was ever announced in Kafka is never
 * changed nor taken away: a batch that was begun is finished in just the pieces that it was begun in.
 */
export const CUTS = {
  /** By table, and events by the UTC month they occurred in: the partition of their table, so that a piece is one part. */
  'month-1': (occurredAt: number | undefined) => (occurredAt === undefined ? undefined : monthOf(occurredAt)),
} as const satisfies Record<string, Cut>;

export type CutName = keyof typeof CUTS;

/** How new batches are cut. */
export const CURRENT_CUT: CutName = 'month-1';

/** Undefined: not at all. Throws SINK_CUT_UNKNOWN (fatal): another version announced it. */
export function cutOf(name: string | undefined): Cut | undefined {
  if (name === undefined) return undefined;
  if (!Object.hasOwn(CUTS, name))
    throw new PipelineError('SINK_CUT_UNKNOWN', 'fatal', `no batch is cut by ${name} in this version`);
  return CUTS[name as CutName];
}

const FIRST_YEAR = 1900;
const LAST_YEAR = 2299;

/**
 * As toYYYYMM says it for what a DateTime64 can hold, which is the years 1900 to 2299. Where ClickHouse puts a time outside of them
 * does not matter: all of these are of one piece, which then is several parts.
 */
function monthOf(time: number): string {
  const date = new Date(time);
  const year = date.getUTCFullYear();
  if (!(year >= FIRST_YEAR)) return time < 0 ? 'before' : 'after';
  if (year > LAST_YEAR) return 'after';
  return `${year}${String(date.getUTCMonth() + 1).padStart(2, '0')}`;
}
