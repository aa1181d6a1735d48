import type { EventMark } from '@email-events/schemas';
import type { ClickHouse } from '@email-events/sink-clickhouse';
import type { SaidBySource } from '../suppressions/actions.ts';

/** What a mark repeats of its event. */
export type MarkedEvent = Omit<EventMark, 'mark' | 'change' | 'replaced_by' | 'at' | 'by' | 'why'>;

type Row = Omit<MarkedEvent, 'occurred_at' | 'received_at'> & {
  /** 64-bit integers come as text. */
  readonly occurred: string;
  readonly received: string;
};

const COLUMNS = `event_id, type, toUnixTimestamp64Milli(occurred_at) AS occurred, toUnixTimestamp64Milli(received_at) AS received,
  esp, source, account, recipient_key AS recipient, recipient_domain, campaign, variant, stream, bounce_class, is_machine`;

/** Rows of one query: each looks at the whole range, so they are many. */
const PAGE = 50_000;

/**
 * Events of a source in ClickHouse, by the time they were received, in pages that are in the order of the event ids: rows that are
 * written meanwhile are met or not, and none is met twice.
 */
export async function* eventsOfSource(
  clickhouse: ClickHouse,
  said: SaidBySource,
): AsyncGenerator<MarkedEvent[]> {
  for (let after = ''; ; ) {
    const rows = await clickhouse.query<Row>(
      `SELECT ${COLUMNS} FROM email_events
       WHERE source = {source:String} AND event_id > {after:String}
         AND received_at >= fromUnixTimestamp64Milli({from:Int64}) AND received_at < fromUnixTimestamp64Milli({to:Int64})
       ORDER BY event_id LIMIT {page:UInt32}`,
      { ...said, after, page: PAGE },
    );
    const last = rows.at(-1);
    if (!last) return;
    yield rows.map(eventOf);
    if (rows.length < PAGE) return;
    after = last.event_id;
  }
}

/** Events by their ids, of which a few thousand fit into a query. */
export async function eventsOfIds(clickhouse: ClickHouse, ids: readonly string[]): Promise<MarkedEvent[]> {
  if (ids.length === 0) return [];
  const rows = await clickhouse.query<Row>(
    `SELECT ${COLUMNS} FROM email_events WHERE event_id IN {ids:Array(String)} ORDER BY event_id`,
    { ids },
  );
  return rows.map(eventOf);
}

function eventOf({ occurred, received, ...row }: Row): MarkedEvent {
  return { ...row, occurred_at: Number(occurred), received_at: Number(received) };
}
