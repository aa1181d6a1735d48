import type { Suppression } from '@email-events/schemas';
import type { ClickHouse } from '@email-events/sink-clickhouse';
import type { SaidBySource } from './actions.ts';
import { readStates, type Suppressions } from './topic.ts';

/** Whom a source said something of that suppresses or lifts. */
export interface Concerned {
  readonly recipients: readonly string[];
  /** What it said: recipients by kind; one may be in several. */
  readonly said: { readonly [kind: string]: number };
  /** Of the recipients: with an active reason that this source gave. */
  readonly suppressedByIt: number;
  /** Of the recipients: with a reason by it whose event ClickHouse does not hold, so that nobody but `events` can tell when it came. */
  readonly unknownTime: number;
}

/** Occurred_at may be this much after received_at at most. */
const SKEW_MS = 600_000;
/** Ids of one query: its text stays below ClickHouse's default limit of 256 KiB. */
const QUERY_IDS = 6_000;

/** What of an event can suppress somebody, or lift a suppression that was right. */
const KIND = `multiIf(type = 'bounced', concat(ifNull(bounce_class, ''), ' bounce'), type = 'complained', 'complaint', type = 'unsubscribed', 'unsubscribe', 'subscribe')`;
const SAYS = `(type IN ('complained', 'unsubscribed', 'subscribed') OR (type = 'bounced' AND bounce_class IN ('hard', 'soft')))`;
const WHEN = `source = {source:String} AND received_at >= fromUnixTimestamp64Milli({from:Int64}) AND received_at < fromUnixTimestamp64Milli({to:Int64})`;

/**
 * All recipients whose state may be another without what the source said in that time: by ClickHouse, where a recipient is
 * found too whose suppression was lifted wrongly and of whom the suppression topic shows nothing; and by that topic, for
 * reasons whose events ClickHouse does not hold. That one is too many does no harm: `events` knows when each word was received.
 */
export async function concernedBy(
  from: Suppressions,
  clickhouse: ClickHouse,
  said: SaidBySource,
): Promise<Concerned> {
  const rows = await clickhouse.query<{ recipient: string; kinds: string[] }>(
    `SELECT recipient_key AS recipient, groupUniqArray(${KIND}) AS kinds FROM email_events
     WHERE ${WHEN} AND ${SAYS} AND recipient_key != '' GROUP BY recipient_key ORDER BY recipient_key`,
    { ...said },
  );
  const recipients = new Set(rows.map(({ recipient }) => recipient));
  const kinds: { [kind: string]: number } = {};
  for (const kind of rows.flatMap((row) => row.kinds)) kinds[kind] = (kinds[kind] ?? 0) + 1;
  const bySource = ({ source }: Suppression['reasons'][number]) => source === said.source;
  const states = await readStates(from, { wanted: ({ reasons }) => reasons.some(bySource) });
  const others = [...states.values()].filter(({ recipient }) => !recipients.has(recipient));
  const ids = others.flatMap(({ reasons }) => reasons.filter(bySource).map(({ event_id }) => event_id));
  const held = await heldIds(clickhouse, ids);
  const unknown = others.filter(({ reasons }) =>
    reasons.some(
      (reason) => bySource(reason) && !held.has(reason.event_id) && reason.since < said.to + SKEW_MS,
    ),
  );
  const suppressedByIt = [...states.keys()].filter((recipient) => recipients.has(recipient)).length;
  return {
    recipients: [...recipients, ...unknown.map(({ recipient }) => recipient)],
    said: kinds,
    suppressedByIt: suppressedByIt + unknown.length,
    unknownTime: unknown.length,
  };
}

async function heldIds(clickhouse: ClickHouse, ids: readonly string[]): Promise<Set<string>> {
  const held = new Set<string>();
  for (let start = 0; start < ids.length; start += QUERY_IDS) {
    const part = ids.slice(start, start + QUERY_IDS);
    const rows = await clickhouse.query<{ event_id: string }>(
      `SELECT event_id FROM email_events WHERE event_id IN (${part.map(quote).join(', ')})`,
    );
    for (const { event_id } of rows) held.add(event_id);
  }
  return held;
}

/** Hex digits; quoted all the same. */
const quote = (id: string) => `'${id.replaceAll(/['\\]/g, '\\$&')}'`;
