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
  BACKFILL_KEEP_UNKNOWN:
    'What came out is told by its row, and the TTL of `email_events` is none of those that the command reads, so it cannot tell which rows are gone.',
  BACKFILL_KEY_MISSING:
    'What came out is told by its row, and rows name recipients by a keyed hash whose key is not in `erasure.keys`; put the key back, behind the first.',
  CLI_SINK_BEHIND:
    'It needs a sink, of ClickHouse or of a CRM, that has written all there was, and it has not yet; it can be run when the sink runs and has caught up.',
  CLI_DRY_RUN: 'The settings of this CRM say dryRun: nothing is sent to it.',
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
