import type { Codes } from '@email-events/core/errors';

/** Codes of the command line. */
export const CLI_CODES = {
  CLI_USAGE: 'The command line or its input cannot be understood.',
  INSPECT_REQUEST_INVALID: 'What `inspect` was given is no request in its JSON form.',
  INSPECT_ESP_UNKNOWN: 'There is no adapter of that name.',
  INSPECT_CREDENTIALS_UNUSABLE:
    'The secrets or options cannot verify anything; the message names the option.',
  DLQ_NOT_FOUND: 'There is no dead letter of that id (any more).',
  BACKFILL_SINK_BEHIND:
    'What came out is asked of ClickHouse, and its sink is too far behind to tell; it can be run when the sink runs and has caught up.',
  CLI_SINK_BEHIND:
    'What came out is asked of ClickHouse, and its sink has not written all of it yet; it can be run when the sink runs and has caught up.',
  CLI_CHANGE_DIFFERS:
    'More or less would change than --yes-change says, so nothing was changed: without it the same command shows what would.',
  CLI_INGRESS_REFUSED:
    'The ingress did not take the opt-outs that were to be brought back; those that it took before are known again, and not counted twice.',
  CLI_UNAVAILABLE: 'Something that the command needs does not answer.',
  RUN_NOT_RUNNING: 'No pipeline runs on this data directory.',
} as const;

declare module '@email-events/core/errors' {
  interface DeclaredCodes extends Codes<typeof CLI_CODES> {}
}
