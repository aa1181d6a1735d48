import type { PipelineConfig } from '@email-events/cli/services';
import { decodeRawHeaders, type ReadRecord, readTopic } from '@email-events/core';
import { findAdapter, normalizeRequest } from '@email-events/esps';
import {
  Codec,
  type DeadLetter,
  type EmailEvent,
  eventTopics,
  eventTypeOf,
  type NormalizedBatch,
  recipientKey,
  type SchemaKey,
  type SeenBatch,
  type Suppression,
  topics,
} from '@email-events/schemas';
import { connect } from '@email-events/sink-clickhouse';
import { type EmittedEvent, type EventTotals, SeenTotals, type SentEvent } from '../src/invariants.ts';
import { type RollupEvidence, readRollups } from './rollups.ts';

/** The records of the topics in the end, as a consumer that reads committed records sees them. */
export interface TopicsEvidence {
  /** X-Request-Id of every request in email.raw. */
  readonly requestIds: ReadonlySet<string>;
  /** The events and failures in those requests, read here once more. Includes what was received twice. */
  readonly raw: { readonly events: number; readonly failures: number };
  /** Distinct events in the order in which they were normalized, which is the order of each recipient. */
  readonly normalized: readonly SentEvent[];
  /** Including duplicates. */
  readonly normalizedCount: number;
  /** Items of requests that were normalized more than once, and where. */
  readonly renormalized: readonly string[];
  readonly emitted: readonly EmittedEvent[];
  /** Of events, out of its changelog. */
  readonly totals: EventTotals;
  /** Newest state by recipient key: `reason` or `reason:scope`, sorted; without reasons it is left out. */
  readonly suppressions: ReadonlyMap<string, string>;
  /** Dead letters by stage. */
  readonly deadLetters: { readonly [stage: string]: number };
}

export async function readTopicsEvidence(config: PipelineConfig): Promise<TopicsEvidence> {
  const codec = new Codec({ url: config.registry.url });
  const raw = await readRaw(config);
  const normalized = await readNormalized(config, codec);
  const [emitted, totals, suppressions, deadLetters] = [
    await readEmitted(config, codec),
    await readSeenTotals(config, codec),
    await readSuppressions(config, codec),
    await readDeadLetters(config, codec),
  ];
  return { ...raw, ...normalized, emitted, totals, suppressions, deadLetters };
}

async function readRaw(config: PipelineConfig): Promise<Pick<TopicsEvidence, 'requestIds' | 'raw'>> {
  const requestIds = new Set<string>();
  const raw = { events: 0, failures: 0 };
  await readTopic(config.kafka, {
    topics: [topics.raw],
    from: 'beginning',
    onRecord: ({ headers, value }) => {
      const request = decodeRawHeaders(headers);
      const adapter = request && findAdapter(request.esp);
      if (!request || !adapter) throw new Error('a record of email.raw is none');
      requestIds.add(request.requestId);
      const { method, url, receivedAt, contentType } = request;
      const all =
        contentType === null ? request.headers : { ...request.headers, 'content-type': contentType };
      const body = value ?? Buffer.alloc(0);
      try {
        const { results } = normalizeRequest(adapter, { method, url, headers: all, body, receivedAt });
        for (const result of results) {
          if ('events' in result) raw.events += result.events.length;
          else raw.failures++;
        }
      } catch {
        // The body as a whole cannot be read: one failure.
        raw.failures++;
      }
    },
  });
  return { requestIds, raw };
}

async function readNormalized(
  config: PipelineConfig,
  codec: Codec,
): Promise<Pick<TopicsEvidence, 'normalized' | 'normalizedCount' | 'renormalized'>> {
  const seen = new Set<string>();
  const places = new Map<string, string>();
  const renormalized: string[] = [];
  const normalized: SentEvent[] = [];
  let normalizedCount = 0;
  await readValues<NormalizedBatch>(config, codec, topics.normalized, 'normalized', (record, { events }) => {
    const place = `${record.partition}/${record.offset}`;
    for (const { event_id: name, recipient, raw_partition, raw_offset, item_index } of events) {
      normalizedCount++;
      const item = `${raw_partition}/${raw_offset}/${item_index} ${name}`;
      const before = places.get(item);
      if (before !== undefined) renormalized.push(`${item} at ${before} and ${place}`);
      places.set(item, place);
      if (seen.has(name)) continue;
      seen.add(name);
      normalized.push({ name, recipient: recipientKey(recipient) });
    }
  });
  return { normalized, normalizedCount, renormalized };
}

export async function readEmitted(config: PipelineConfig, codec: Codec): Promise<EmittedEvent[]> {
  const emitted: EmittedEvent[] = [];
  for (const topic of eventTopics) {
    const type = eventTypeOf(topic);
    if (!type) continue;
    await readValues<EmailEvent>(config, codec, topic, type, ({ partition, offset }, event) => {
      const recipient = recipientKey(event.recipient);
      emitted.push({ name: event.event_id, recipient, topic, partition, offset });
    });
  }
  return emitted;
}

export async function readSeenTotals(config: PipelineConfig, codec: Codec): Promise<EventTotals> {
  const totals = new SeenTotals();
  await readValues<SeenBatch>(config, codec, topics.seen, 'seen', ({ partition }, batch) =>
    totals.add(partition, batch),
  );
  return totals.sum();
}

async function readSuppressions(config: PipelineConfig, codec: Codec): Promise<Map<string, string>> {
  const states = new Map<string, string>();
  await readValues<Suppression>(config, codec, topics.suppressions, 'suppression', (_record, state) => {
    const text = reasonsText(state.reasons);
    if (text === '') states.delete(state.recipient);
    else states.set(state.recipient, text);
  });
  return states;
}

async function readDeadLetters(config: PipelineConfig, codec: Codec): Promise<{ [stage: string]: number }> {
  const keys = new Map<string, string>();
  await readValues<DeadLetter>(config, codec, topics.deadLetters, 'deadLetter', ({ key }, { stage }) => {
    keys.set(`${stage} ${key}`, stage);
  });
  const counts: { [stage: string]: number } = {};
  for (const stage of keys.values()) counts[stage] = (counts[stage] ?? 0) + 1;
  return counts;
}

/** One spelling of a recipient's reasons for all who tell them. */
function reasonsText(reasons: readonly { readonly reason: string; readonly scope: string }[]): string {
  return reasons
    .map(({ reason, scope }) => (scope === 'all' ? reason : `${reason}:${scope}`))
    .sort()
    .join(' ');
}

const CHUNK = 1_000;

/** Decoded committed records of a topic, each partition in order. */
export async function readValues<T>(
  config: PipelineConfig,
  codec: Codec,
  topic: string,
  schema: SchemaKey,
  onValue: (record: ReadRecord, value: T) => void,
): Promise<void> {
  const decoder = codec.decoder<T>(schema);
  let records: ReadRecord[] = [];
  const flush = async () => {
    await decoder.load(records.flatMap(({ value }) => value ?? []));
    for (const record of records) if (record.value) onValue(record, decoder.decode(record.value));
    records = [];
  };
  await readTopic(config.kafka, {
    topics: [topic],
    from: 'beginning',
    onRecord: async (record) => {
      records.push(record);
      if (records.length >= CHUNK) await flush();
    },
  });
  await flush();
}

/** The contents of ClickHouse and of the receiver in the CRM's place, at the ends of the pipeline. */
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
