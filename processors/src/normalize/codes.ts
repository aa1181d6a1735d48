import type { Codes } from '@email-events/core/errors';

/** Codes of records and events that `normalize` sets aside. */
export const NORMALIZE_CODES = {
  NORMALIZE_HEADERS_UNREADABLE: 'A record of email.raw lacks the headers of a request.',
  NORMALIZE_ESP_UNKNOWN: 'A record of email.raw names an ESP that has no adapter in this version.',
  NORMALIZE_TOKEN_REPLAYED:
    'A request used a token that came with another body before; only one of the two can be genuine.',
  NORMALIZE_EVENT_INVALID: 'An event does not fit the schema of the internal topic.',
  NORMALIZE_EVENT_TOO_LARGE: 'An event is larger than a record may be.',
  NORMALIZE_TOO_MANY_ITEMS:
    'A request has more items than `normalize.maxItems`; nothing of it was read. Raise that, start `normalize` anew, then replay it.',
  NORMALIZE_TOO_MANY_EVENTS:
    'A request comes to more events than `normalize.maxEvents`; none came out. Raise that, start `normalize` anew, then replay it.',
  NORMALIZE_OUTPUT_TOO_LARGE:
    'A request comes to more bytes of events than `normalize.maxOutputBytes` or `maxOutputRatio` allow; none came out. Raise these, start `normalize` anew, then replay it.',
  NORMALIZE_TOO_MANY_FAILURES:
    'More items of a request cannot be read than `normalize.maxDeadLetters`: one dead letter stands for all of them. What can be read came out.',
  NORMALIZE_RECORD_FAILED:
    'The work on a request failed in a way nobody foresaw, each time it was tried; replay it with a version that mends it.',
} as const;

declare module '@email-events/core/errors' {
  interface DeclaredCodes extends Codes<typeof NORMALIZE_CODES> {}
}
