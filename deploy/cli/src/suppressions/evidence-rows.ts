import type { EmailEvent, SuppressionReason } from '@email-events/schemas';
import type { ClickHouse } from '@email-events/sink-clickhouse';

/** What of an event says that it suppresses, and where its bytes are. */
export type EvidenceRow = Pick<
  EmailEvent,
  'event_id' | 'type' | 'bounce_class' | 'feedback_type' | 'scope' | 'raw_partition' | 'item_index'
> & {
  readonly recipient: string;
  readonly raw_offset: number;
};

/** Recipients of one query: its text stays below ClickHouse's default limit of 256 KiB. */
const QUERY_RECIPIENTS = 500;

/** Everything in ClickHouse that suppresses one of the recipients for good or until it is taken back, by recipient. */
export async function evidenceOf(
  clickhouse: ClickHouse,
  recipients: readonly string[],
): Promise<Map<string, EvidenceRow[]>> {
  const found = new Map<string, EvidenceRow[]>();
  for (let start = 0; start < recipients.length; start += QUERY_RECIPIENTS) {
    const among = recipients
      .slice(start, start + QUERY_RECIPIENTS)
      .map(quote)
      .join(', ');
    const rows = await clickhouse.query<EvidenceRow & { readonly raw_offset: string | number }>(
      `SELECT recipient_key AS recipient, event_id, type, bounce_class, feedback_type, scope, raw_partition, raw_offset, item_index
       FROM email_events WHERE recipient_key IN (${among})
         AND ((type = 'bounced' AND bounce_class = 'hard') OR type IN ('complained', 'unsubscribed'))`,
    );
    for (const row of rows) {
      const own = found.get(row.recipient);
      const evidence = { ...row, raw_offset: Number(row.raw_offset) };
      if (own) own.push(evidence);
      else found.set(row.recipient, [evidence]);
    }
  }
  return found;
}

/** Recipient keys have no control characters; ClickHouse's escapes are ours. */
const quote = (key: string) => `'${key.replaceAll(/['\\]/g, '\\$&')}'`;

type Said = Pick<EmailEvent, 'type' | 'bounce_class' | 'feedback_type' | 'scope'>;

/** Whether an event is a reason of that kind. The rules are those of `events` ([suppression](processors/README.md#suppression)). */
export function gives(
  { type, bounce_class, feedback_type, scope }: Said,
  reason: Pick<SuppressionReason, 'reason' | 'scope'>,
): boolean {
  switch (reason.reason) {
    case 'hard_bounce':
      return type === 'bounced' && bounce_class === 'hard';
    case 'complaint':
      return type === 'complained' && feedback_type !== 'not-spam';
    case 'unsubscribe':
      return type === 'unsubscribed' && (scope ?? 'all') === reason.scope;
    default:
      return false;
  }
}

/** In a few words. */
export function labelOf({ type, bounce_class, feedback_type, scope }: Said): string {
  if (type === 'bounced') return `bounced, ${bounce_class}`;
  if (type === 'complained') return feedback_type === null ? type : `complained, ${feedback_type}`;
  return type === 'unsubscribed' || type === 'subscribed' ? `${type}, ${scope ?? 'all'}` : type;
}
