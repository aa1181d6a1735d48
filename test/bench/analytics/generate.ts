/** Columns of `email_events` that generated events have, in the order of the SELECT. */
const COLUMNS = [
  ...[
    'event_id',
    'type',
    'occurred_at',
    'received_at',
    'esp',
    'source',
    'esp_event_type',
    'esp_message_id',
    'message_id',
    'recipient',
  ],
  ...[
    'recipient_key',
    'recipient_domain',
    'sender',
    'subject',
    'campaign',
    'variant',
    'stream',
    'tags',
    'metadata',
    'request_id',
  ],
  ...[
    'raw_partition',
    'raw_offset',
    'item_index',
    'smtp_response',
    'smtp_code',
    'enhanced_status',
    'diagnostic',
    'bounce_class',
  ],
  ...['bounce_category', 'user_agent', 'ip', 'is_machine', 'url', 'feedback_type'],
].join(', ');

/**
 * INSERT of the events with these numbers, each different, made by the server itself: four a message (accepted, and of 20: 14 delivered, 4 opened,
 * one clicked, one bounced), 40 campaigns of two variants over so many days, 1,000 domains of which three quarters are large providers'.
 */
export function insertGenerated(table: string, from: number, to: number, days = 90): string {
  return `INSERT INTO ${table} (${COLUMNS})
    WITH intDiv(number, 4) AS m, number % 4 AS step, cityHash64(m) AS h,
      multiIf(step = 0, 'queued', step = 1, if(h % 20 = 0, 'bounced', 'delivered'), h % 20 = 0, 'deferred', step = 2, 'opened', h % 5 = 1, 'clicked', h % 997 = 3, 'complained', 'opened') AS kind,
      toDateTime64('2026-06-01 00:00:00', 3, 'UTC') + toIntervalSecond(h % ${days * 86_400}) AS sent,
      sent + toIntervalMillisecond(multiIf(step = 0, 0, step = 1, 2000 + h % 60000, 30000 + cityHash64(number) % 172800000)) AS at,
      multiIf(h % 100 < 40, 'gmail.com', h % 100 < 55, 'outlook.com', h % 100 < 65, 'yahoo.com', h % 100 < 70, 'icloud.com', h % 100 < 75, 'gmx.de', concat('shop', toString(h % 1000), '.example')) AS domain,
      concat('recipient', toString(intDiv(h, 7) % 1000000), '@', domain) AS address
    SELECT lower(hex(MD5(toString(number)))), kind, at, at + toIntervalMillisecond(850),
      arrayElement(['sendgrid', 'mailgun', 'ses', 'postmark'], 1 + h % 4), 'main', kind,
      concat('14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.', toString(m)), concat(toString(m), '@mail.shop.example'),
      address, address, domain, 'news@mail.shop.example', concat('Offers of week ', toString(h % 40)),
      concat('week-', toString(h % 40)), if(h % 2 = 0, 'A', 'B'), 'newsletter', ['newsletter', 'autumn'], map('order', concat('A-', toString(m)), 'segment', 'returning'),
      '0199b7a0-1111-7222-8333-444455556666', number % 6, number, number % 100,
      if(kind = 'delivered', '250 2.0.0 OK 1760000000 x12-20020a1709027c0c00b0', NULL),
      if(kind = 'bounced', 550, NULL), if(kind = 'bounced', '5.1.1', NULL),
      if(kind = 'bounced', '550 5.1.1 The email account that you tried to reach does not exist.', NULL),
      if(kind = 'bounced', if(h % 3 = 0, 'soft', 'hard'), NULL), if(kind = 'bounced', 'invalid_mailbox', NULL),
      if(kind IN ('opened', 'clicked'), 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36', NULL),
      if(kind IN ('opened', 'clicked'), concat('203.0.113.', toString(h % 250)), NULL),
      if(kind IN ('opened', 'clicked'), if(h % 3 = 0, NULL, h % 6 = 1), NULL),
      if(kind = 'clicked', concat('https://shop.example/offer/', toString(h % 500)), NULL),
      if(kind = 'complained', 'abuse', NULL)
    FROM numbers(${from}, ${to - from})`;
}

/** One recipient of whom there are events, and an id of one of its messages: message number 4. */
export const ONE_RECIPIENT = `SELECT recipient_key, message FROM message_facts WHERE message = '14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.4'`;
