import type { PipelineConfig } from '@email-events/cli/services';
import { decodeRawHeaders, readTopic } from '@email-events/core';
import {
  Codec,
  type DeadLetter,
  type NormalizedBatch,
  type Suppression,
  topics,
} from '@email-events/schemas';
import { type ClickHouse, connect } from '@email-events/sink-clickhouse';
import { readEmitted, readSeenTotals, readValues } from '../faults/evidence.ts';
import type { EventTotals, GroupPosition } from '../src/invariants.ts';
import type { HonestSent } from './honest.ts';
import type { FloodFound, HostileSent } from './hostile.ts';
import type { ShopReport } from './shops.ts';

/** The records of the topics in the end. */
export interface TopicsFound {
  /** Requests in email.raw: the source of each, by its id. */
  readonly raw: ReadonlyMap<string, string>;
  /** Events on email.internal.normalized, duplicates included. */
  readonly normalized: number;
  /** Records on the typed topics. */
  readonly emitted: number;
  /** Of events, out of its changelog. */
  readonly totals: EventTotals;
  readonly letters: readonly LetterFound[];
  /** Newest state by recipient key; those without a reason are left out. */
  readonly suppressions: ReadonlyMap<string, readonly ReasonFound[]>;
}

/** A dead letter, the newest of its key. */
export interface LetterFound {
  readonly stage: string;
  readonly code: string;
  readonly source: string | null;
  readonly requestId: string | null;
  /** Of its record. */
  readonly bytes: number;
}

export interface ReasonFound {
  readonly reason: string;
  readonly scope: string;
  readonly source: string;
}

export async function readTopics(config: PipelineConfig): Promise<TopicsFound> {
  const codec = new Codec({ url: config.registry.url });
  const raw = await readRaw(config);
  let normalized = 0;
  await readValues<NormalizedBatch>(config, codec, topics.normalized, 'normalized', (_record, { events }) => {
    normalized += events.length;
  });
  const emitted = (await readEmitted(config, codec)).length;
  const totals = await readSeenTotals(config, codec);
  return {
    ...{ raw, normalized, emitted, totals },
    letters: await readLetters(config, codec),
    suppressions: await readSuppressions(config, codec),
  };
}

async function readRaw(config: PipelineConfig): Promise<Map<string, string>> {
  const raw = new Map<string, string>();
  await readTopic(config.kafka, {
    topics: [topics.raw],
    from: 'beginning',
    onRecord: ({ headers }) => {
      const request = decodeRawHeaders(headers);
      if (!request) throw new Error('a record of email.raw is none');
      raw.set(request.requestId, request.source);
    },
  });
  return raw;
}

async function readLetters(config: PipelineConfig, codec: Codec): Promise<LetterFound[]> {
  const newest = new Map<string, LetterFound>();
  await readValues<DeadLetter>(config, codec, topics.deadLetters, 'deadLetter', ({ key, value }, letter) => {
    const { stage, code, source, request_id: requestId } = letter;
    newest.set(`${stage} ${key}`, { stage, code, source, requestId, bytes: value?.length ?? 0 });
  });
  return [...newest.values()];
}

async function readSuppressions(
  config: PipelineConfig,
  codec: Codec,
): Promise<Map<string, readonly ReasonFound[]>> {
  const states = new Map<string, readonly ReasonFound[]>();
  await readValues<Suppression>(config, codec, topics.suppressions, 'suppression', (_record, state) => {
    if (state.reasons.length === 0) states.delete(state.recipient);
    else states.set(state.recipient, state.reasons);
  });
  return states;
}

/** The contents of ClickHouse and the CRM in the end. */
export interface StoresFound {
  readonly rows: number;
  readonly distinct: number;
  /** Sum over the hourly rollup. */
  readonly rolledUp: number;
  /** Rows by `source type`. */
  readonly bySource: ReadonlyMap<string, number>;
  /** Rows of the shops, by `source esp_event_id`. */
  readonly shopRows: ReadonlyMap<string, number>;
  /** When the first row of a request was inserted, by its id; only of the sources asked for. Epoch milliseconds. */
  readonly insertedAt: ReadonlyMap<string, number>;
  /** The report of campaigns, by `source campaign variant`. */
  readonly campaigns: ReadonlyMap<string, CampaignFound>;
  readonly letters: number;
  readonly suppressions: ReadonlyMap<string, readonly ReasonFound[]>;
  readonly crm: ReadonlyMap<string, readonly ReasonFound[]>;
}

export interface CampaignFound {
  readonly complained: number;
  readonly unsubscribed: number;
  readonly clicked: number;
  readonly clicks: number;
}

interface SourcesAsked {
  readonly honest: readonly string[];
  readonly shops: readonly string[];
}

export async function readStores(
  config: PipelineConfig,
  receiverUrl: string,
  asked: SourcesAsked,
): Promise<StoresFound> {
  const clickhouse = connect(config.sinks.clickhouse);
  try {
    const [totals] = await clickhouse.query<{ [name: string]: string }>(TOTALS);
    return {
      ...{ rows: Number(totals?.rows), distinct: Number(totals?.ids) },
      ...{ rolledUp: Number(totals?.rolled_up), letters: Number(totals?.letters) },
      bySource: await counted(clickhouse, BY_SOURCE, {}),
      shopRows: await counted(clickhouse, SHOP_ROWS, { sources: asked.shops }),
      insertedAt: await counted(clickhouse, INSERTED_AT, { sources: [...asked.honest, ...asked.shops] }),
      campaigns: await readCampaigns(clickhouse),
      suppressions: await readStates(clickhouse),
      crm: await readReceiver(receiverUrl),
    };
  } finally {
    await clickhouse.close();
  }
}

const TOTALS = `
  SELECT count() AS rows, uniqExact(event_id) AS ids,
         (SELECT sum(events) FROM email_events_hourly) AS rolled_up,
         (SELECT count() FROM dead_letters FINAL) AS letters
  FROM email_events`;
const BY_SOURCE = `SELECT concat(source, ' ', type) AS key, count() AS n FROM email_events GROUP BY key`;
const SHOP_ROWS = `
  SELECT concat(source, ' ', ifNull(esp_event_id, '')) AS key, count() AS n FROM email_events
  WHERE source IN {sources:Array(String)} GROUP BY key`;
const INSERTED_AT = `
  SELECT request_id AS key, toUnixTimestamp64Milli(min(inserted_at)) AS n FROM email_events
  WHERE source IN {sources:Array(String)} GROUP BY key`;

async function counted(
  clickhouse: ClickHouse,
  sql: string,
  parameters: { readonly [name: string]: readonly string[] },
): Promise<Map<string, number>> {
  const rows = await clickhouse.query<{ key: string; n: string }>(sql, parameters);
  return new Map(rows.map(({ key, n }) => [key, Number(n)]));
}

async function readCampaigns(clickhouse: ClickHouse): Promise<Map<string, CampaignFound>> {
  const rows = await clickhouse.query<{ [name: string]: string }>(
    'SELECT source, campaign, variant, complained, unsubscribed, clicked, clicks FROM campaign_performance',
  );
  return new Map(
    rows.map((row) => [
      `${row.source} ${row.campaign} ${row.variant}`,
      {
        ...{ complained: Number(row.complained), unsubscribed: Number(row.unsubscribed) },
        ...{ clicked: Number(row.clicked), clicks: Number(row.clicks) },
      },
    ]),
  );
}

async function readStates(clickhouse: ClickHouse): Promise<Map<string, readonly ReasonFound[]>> {
  const rows = await clickhouse.query<{ recipient: string; found: [string, string, string][] }>(
    'SELECT recipient, arrayMap(r -> (r.reason, r.scope, r.source), reasons) AS found FROM suppressions_current',
  );
  const states = rows.map(({ recipient, found }) => {
    const reasons = found.map(([reason, scope, source]) => ({ reason, scope, source }));
    return [recipient, reasons] as const;
  });
  return new Map(states.filter(([, reasons]) => reasons.length > 0));
}

interface ReceiverPage {
  readonly suppressions: readonly { readonly recipient: string; readonly reasons: readonly ReasonFound[] }[];
  readonly next: string | null;
}

/** All states that the receiver behind the CRM's firewall holds. */
async function readReceiver(url: string): Promise<Map<string, readonly ReasonFound[]>> {
  const found = new Map<string, readonly ReasonFound[]>();
  let after: string | null = '';
  while (after !== null) {
    const response = await fetch(`${url}/suppressions?limit=1000&after=${encodeURIComponent(after)}`);
    const page = (await response.json()) as ReceiverPage;
    for (const { recipient, reasons } of page.suppressions)
      if (reasons.length > 0) found.set(recipient, reasons);
    after = page.next;
  }
  return found;
}

/** Everything that was seen of a run. */
export interface Evidence {
  readonly honest: HonestSent;
  readonly hostile: HostileSent;
  /** Epoch milliseconds. */
  readonly hostileSince: number;
  readonly shops: readonly ShopReport[];
  readonly topics: TopicsFound;
  readonly stores: StoresFound;
  readonly positions: readonly GroupPosition[];
  /** Peak of resident memory by service. Bytes. */
  readonly memory: ReadonlyMap<string, number>;
  /** Services that ended by themselves, and how often. */
  readonly restarts: ReadonlyMap<string, number>;
  readonly flood: FloodFound | undefined;
}
