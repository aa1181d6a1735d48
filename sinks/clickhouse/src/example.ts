import type { SinkRecord } from '@email-events/core';
import { topics } from '@email-events/schemas';
import type { ClickHouseValue } from './rows.ts';

/** The least that an event has. */
export const EXAMPLE: SinkRecord<ClickHouseValue> = {
  topic: topics.events('delivered'),
  key: 'ada@example.com',
  value: {
    event_id: '0'.repeat(32),
    occurred_at: 0,
    received_at: 0,
    esp: 'example',
    source: 'example',
    recipient: 'ada@example.com',
    recipient_domain: 'example.com',
    tags: [],
    metadata: {},
  } as unknown as ClickHouseValue,
  timestamp: 0,
  attempts: 0,
};
