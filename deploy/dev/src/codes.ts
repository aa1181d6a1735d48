import type { Codes } from '@email-events/core/errors';

/** Codes of the local pipeline and its demo. */
export const RUN_CODES = {
  RUN_ALREADY_RUNNING: 'Another process runs the pipeline on this data directory.',
  RUN_SERVICE_FAILED: 'A service does not start or ended again and again; its log file says why.',
  RUN_SERVICES_UNAVAILABLE: 'Services cannot be run as SERVICES says; the message says what they need.',
  RUN_STOP_FAILED: 'Something of the pipeline could not be stopped.',
  RUN_DEMO_DIFFERS: 'What came out of the pipeline is not what was sent; the differences are listed.',
} as const;

declare module '@email-events/core/errors' {
  interface DeclaredCodes extends Codes<typeof RUN_CODES> {}
}
