import type { PipelineConfig } from '@email-events/cli/services';
import { connect } from '@email-events/sink-clickhouse';
import { type RollupEvidence, readRollups } from './rollups.ts';
import { reasonsText } from './topics-evidence.ts';

/** What the two ends of the pipeline hold. */
export interface StoreEvidence {
  /** Id of every row of the base table, as often as it is there. */
  readonly rows: readonly string[];
  /** One of each materialised view. */
  readonly rollups: readonly RollupEvidence[];
  /** Dead letters by stage, each once however often it was given up. */
  readonly deadLetters: { readonly [stage: string]: number };
  /** Suppression reasons by recipient key, as in the topic. */
  readonly clickhouseSuppressions: ReadonlyMap<string, string>;
  readonly crmSuppressions: ReadonlyMap<string, string>;
}

export async function readStoreEvidence(config: PipelineConfig, receiverUrl: string): Promise<StoreEvidence> {
  const clickhouse = connect(config.sinks.clickhouse);
  try {
    const rows = await clickhouse.query<{ event_id: string }>('SELECT event_id FROM email_events');
    const rollups = await readRollups(clickhouse);
    const letters = await clickhouse.query<{ stage: string; n: string }>(
      'SELECT stage, count() AS n FROM dead_letters FINAL GROUP BY stage',
    );
    const states = await clickhouse.query<{ recipient: string; reasons: Reason[] }>(
      'SELECT recipient, arrayMap(r -> (r.reason, r.scope)::Tuple(reason String, scope String), reasons) AS reasons FROM suppressions_current',
    );
    return {
      rows: rows.map(({ event_id: id }) => id),
      rollups,
      deadLetters: Object.fromEntries(letters.map(({ stage, n }) => [stage, Number(n)])),
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
