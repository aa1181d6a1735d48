import type { Codes } from '@email-events/core/errors';

/** Codes of records and events that `events` sets aside, and of its local store. */
export const EVENTS_CODES = {
  STATE_UNUSABLE: 'The local store is corrupt or foreign; it is rebuilt from the changelog.',
  EVENTS_RECORD_FAILED:
    'The work on a record of the internal topic, or on one event in it, failed in a way nobody foresaw, each time it was tried; replay it with a version that mends it.',
  EVENTS_EVENT_INVALID:
    'An event has no usable id or recipient, or does not fit the schema of its type; the message says which.',
  EVENTS_ERASURE_KEYS_MISSING:
    'Recipients were erased, and `erasure.keys` is empty: none of them could be told from a stranger. Give `events` the keys that it had.',
  EVENTS_RECORD_UNREADABLE: 'A record of the internal topic cannot be decoded.',
} as const;

declare module '@email-events/core/errors' {
  interface DeclaredCodes extends Codes<typeof EVENTS_CODES> {}
}
