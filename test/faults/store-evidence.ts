import type { PipelineConfig } from '@email-events/core';
import { connect } from '@email-events/sink-clickhouse';
import { reasonsText } from './topics-evidence.ts';

/** What the two ends of the pipeline hold. */
export interface StoreEvidence {
  /** Id of every row of the base table, as often as it is there. */
  readonly rows: readonly string[];
  /** Groups of the rollup whose sum is not the number of rows, and groups that are in one of both only. */
  readonly rollupDiffers: readonly string[];
  readonly rollupSum: number;
  /** Suppression reasons by recipient key, as in the topic. */
  readonly clickhouseSuppressions: ReadonlyMap<string, string>;
  readonly crmSuppressions: ReadonlyMap<string, string>;
}

const DIMENSIONS = [
  'hour',
  'type',
  'esp',
  'source',
  'stream',
  'campaign',
  'variant',
  'recipient_domain',
  'bounce_class',
  'is_machine',
].join(', ');

/** The rollup as it must be, out of the base table. */
const EXPECTED_ROLLUP = `
  SELECT toStartOfHour(toDateTime(occurred_at, 'UTC'), 'UTC') AS hour, type, esp, source, ifNull(stream, '') AS stream,
         ifNull(campaign, '') AS campaign, ifNull(variant, '') AS variant, recipient_domain,
         ifNull(bounce_class, '') AS bounce_class, ifNull(is_machine, false) AS is_machine, count() AS n
  FROM email_events GROUP BY ${DIMENSIONS}`;
const ACTUAL_ROLLUP = `SELECT ${DIMENSIONS}, sum(events) AS n FROM email_events_hourly GROUP BY ${DIMENSIONS}`;
const ROLLUP_DIFFERENCES = `
  SELECT ${DIMENSIONS}, sum(signed) AS surplus FROM (
    SELECT ${DIMENSIONS}, toInt64(n) AS signed FROM (${ACTUAL_ROLLUP})
    UNION ALL SELECT ${DIMENSIONS}, -toInt64(n) AS signed FROM (${EXPECTED_ROLLUP})
  ) GROUP BY ${DIMENSIONS} HAVING surplus != 0 LIMIT 20`;

export async function readStoreEvidence(config: PipelineConfig, receiverUrl: string): Promise<StoreEvidence> {
  const clickhouse = connect(config.sinks.clickhouse);
  try {
    const rows = await clickhouse.query<{ event_id: string }>('SELECT event_id FROM email_events');
    const differences = await clickhouse.query<object>(ROLLUP_DIFFERENCES);
    const [sum] = await clickhouse.query<{ n: string }>('SELECT sum(events) AS n FROM email_events_hourly');
    const states = await clickhouse.query<{ recipient: string; reasons: Reason[] }>(
      'SELECT recipient, arrayMap(r -> (r.reason, r.scope)::Tuple(reason String, scope String), reasons) AS reasons FROM suppressions_current',
    );
    return {
      rows: rows.map(({ event_id: id }) => id),
      rollupDiffers: differences.map((row) => JSON.stringify(row)),
      rollupSum: Number(sum?.n),
      clickhouseSuppressions: byRecipient(states),
      crmSuppressions: byRecipient(await readReceiver(receiverUrl)),
    };
  } finally {
    await clickhouse.close();
  }
}

interface Reason {
  readonly reason: string;
  readonly scope: string;
}

function byRecipient(
  states: readonly { readonly recipient: string; readonly reasons: readonly Reason[] }[],
): Map<string, string> {
  const texts = states.map(({ recipient, reasons }) => [recipient, reasonsText(reasons)] as const);
  return new Map(texts.filter(([, text]) => text !== ''));
}

interface ReceiverPage {
  readonly suppressions: readonly { readonly recipient: string; readonly reasons: readonly Reason[] }[];
  readonly next: string | null;
}

const PAGE = 1_000;

async function readReceiver(url: string): Promise<ReceiverPage['suppressions']> {
  const found: ReceiverPage['suppressions'][number][] = [];
  let after: string | null = '';
  while (after !== null) {
    const response = await fetch(`${url}/suppressions?limit=${PAGE}&after=${encodeURIComponent(after)}`);
    const page = (await response.json()) as ReceiverPage;
    found.push(...page.suppressions);
    after = page.next;
  }
  return found;
}
