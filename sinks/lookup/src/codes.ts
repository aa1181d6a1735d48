import type { Codes } from '@email-events/core/errors';

/** Codes of the look-ups, each with what it means for an operator. The first group is what callers are answered. */
export const LOOKUP_CODES = {
  LOOKUP_UNAUTHORIZED: 'A call had no token, or one that is not configured.',
  LOOKUP_NOT_FOUND: 'A call went to a path that there is not.',
  LOOKUP_METHOD: 'A call used another method than the path takes.',
  LOOKUP_MEDIA_TYPE: 'The body of a call is not declared as plain application/json.',
  LOOKUP_BODY_TOO_LARGE: 'The body of a call exceeds sinks.lookup.maxBodyBytes.',
  LOOKUP_REQUEST_INVALID:
    'A call cannot be understood: what it asks is missing, twice there, unknown or not of its type.',
  LOOKUP_TOO_MANY_ADDRESSES: 'A call asks about more than 10,000 addresses.',
  LOOKUP_ADDRESS_INVALID: 'What was asked about is no address that mail can be sent to.',
  LOOKUP_BUSY: 'Bodies of calls wait for more than sinks.lookup.maxInFlightBytes; it is free again soon.',
  LOOKUP_LOADING: 'The states are being read; nothing is answered before all of them are there.',
  LOOKUP_STALE:
    'What is known is older than sinks.lookup.maxAgeMs, and calls are refused, or than half a minute where that is not set.',
  LOOKUP_ERASURE_KEYS_MISSING:
    'Recipients were erased, and `erasure.keys` is empty: they would be answered as strangers, so nothing is answered. Give it the keys of `events`.',
  LOOKUP_RECORD_UNREADABLE:
    'A state on email.suppressions cannot be read. Nothing may be sent to its recipient until a readable one follows.',
  LOOKUP_STATE_FULL:
    'The states take more than sinks.lookup.maxStateBytes; the service ends, and answers nothing.',
  LOOKUP_RELOAD_REFUSED: 'The changed tokens or certificate cannot be used; the former ones stay in force.',
} as const;

export type LookupCode = keyof typeof LOOKUP_CODES;

declare module '@email-events/core/errors' {
  interface DeclaredCodes extends Codes<typeof LOOKUP_CODES> {}
}
