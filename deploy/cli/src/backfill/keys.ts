import { PipelineError, type Pseudonym } from '@email-events/core';
import { type EmailEvent, recipientKey } from '@email-events/schemas';
import { type ClickHouse, keysInRows } from '@email-events/sink-clickhouse';

/** Requests of one query: a parameter stays below ClickHouse's default limit of 128 KiB. */
const QUERY_REQUESTS = 2_000;

/**
 * Makes sure that events which ClickHouse seems not to hold are not there under a key that is gone: rows that name nobody say of which item of which
 * request they are. Such a row whose hash none of the keys makes of its item's recipient throws BACKFILL_KEY_MISSING. `events`: of whole requests. A recipient whose
 * address looks like a hash is no such row: the item says the same.
 */
export async function requireKeys(
  clickhouse: ClickHouse,
  events: readonly EmailEvent[],
  isKnown: (event: EmailEvent) => boolean,
  keys: readonly Pseudonym[],
): Promise<void> {
  const unknown = events.filter((event) => !isKnown(event));
  if (unknown.length === 0) return;
  const byItem = Map.groupBy(events, itemOf);
  const byRequest = [...Map.groupBy(unknown, ({ request_id }) => request_id)];
  for (let start = 0; start < byRequest.length; start += QUERY_REQUESTS) {
    for (const row of await hashedRows(clickhouse, byRequest.slice(start, start + QUERY_REQUESTS))) {
      const of = byItem.get(itemOf(row)) ?? [];
      const isOurs = of.some(({ recipient }) =>
        keysInRows(recipientKey(recipient), keys).includes(row.recipient_key),
      );
      if (isOurs || of.length === 0) continue;
      throw new PipelineError(
        'BACKFILL_KEY_MISSING',
        'fatal',
        `rows of email_events were written with a key that is not in erasure.keys, of request ${row.request_id} for one, or today's mapping reads another recipient there: what came out would come out again`,
      );
    }
  }
}

interface HashedRow {
  readonly request_id: string;
  readonly item_index: number | string;
  readonly recipient_key: string;
}

const itemOf = ({ request_id, item_index }: Pick<HashedRow, 'request_id' | 'item_index'>) =>
  `${item_index}/${request_id}`;

function hashedRows(
  clickhouse: ClickHouse,
  byRequest: readonly (readonly [string, readonly EmailEvent[]])[],
): Promise<HashedRow[]> {
  let [from, to] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  const esps = new Set<string>();
  for (const [, events] of byRequest)
    for (const { esp, occurred_at } of events) {
      esps.add(esp);
      from = Math.min(from, occurred_at);
      to = Math.max(to, occurred_at);
    }
  return clickhouse.query<HashedRow>(
    `SELECT request_id, item_index, recipient_key FROM email_events
     WHERE esp IN {esps:Array(String)} AND startsWith(recipient_key, 'hashed:')
       AND occurred_at BETWEEN fromUnixTimestamp64Milli({from:Int64}, 'UTC') AND fromUnixTimestamp64Milli({to:Int64}, 'UTC')
       AND request_id IN {requests:Array(String)}`,
    { esps: [...esps], from, to, requests: byRequest.map(([id]) => id) },
  );
}
