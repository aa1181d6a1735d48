import type { EventMark } from '@email-events/schemas';
import type { TableWriter } from './rows.ts';

/** In the order of the encoded row. */
const COLUMNS = [
  'event_id',
  'mark',
  'change',
  'replaced_by',
  'at',
  'by',
  'why',
  'type',
  'occurred_at',
  'received_at',
  'esp',
  'source',
  'account',
  'recipient',
  'recipient_domain',
  'campaign',
  'variant',
  'stream',
  'bounce_class',
  'is_machine',
] as const satisfies readonly (keyof EventMark)[];

/** What operators say of events: every mark is a row. The table is small and has no partitions. */
export const EVENT_MARKS: TableWriter = {
  table: 'event_marks',
  columns: COLUMNS,
  encode: ({ value }) => {
    if (!value) return undefined;
    const mark = value as EventMark;
    return { line: `${JSON.stringify(COLUMNS.map((column) => mark[column]))}\n` };
  },
};
