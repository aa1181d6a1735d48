import type { Codes } from '@email-events/core/errors';

/** Codes of this sink, besides those of every sink. */
export const NDJSON_FILES_CODES = {
  SINK_NDJSON_FILES_UNAVAILABLE: 'The folder takes no files now; the same events are written again.',
} as const;

declare module '@email-events/core/errors' {
  interface DeclaredCodes extends Codes<typeof NDJSON_FILES_CODES> {}
}
