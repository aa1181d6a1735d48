import type { Codes } from '@email-events/core/errors';

/** Codes of the CRM sink, besides those of every sink. */
export const CRM_CODES = {
  SINK_CRM_THROTTLED: 'The CRM asks for fewer calls; they go on when it says.',
  SINK_CRM_UNAVAILABLE: 'The CRM answered that it cannot work now.',
  SINK_CRM_TIMEOUT: 'The CRM did not answer in time.',
  SINK_CRM_UNREACHABLE: 'No connection to the CRM, or it was cut.',
  SINK_CRM_PAUSED: 'The CRM failed several times in a row; calls pause and one tries again now and then.',
  SINK_CRM_UNAUTHORIZED:
    'The CRM refuses the credentials: nothing is sent until the configuration is put right.',
  SINK_CRM_MISCONFIGURED:
    'The CRM has not what the configuration names, as a list or a field: nothing is sent until that is put right.',
  SINK_CRM_REDIRECTED: 'The CRM answered with a redirect, which is never followed: put the address right.',
  SINK_CRM_REJECTED:
    'The CRM refuses this state for good, and takes others. A check sends none: what is refused then is what the configuration names.',
  SINK_CRM_RECORD_FAILED:
    'The CRM failed of this state again and again while it took others: it is set aside.',
  SINK_CRM_UNVERIFIED: 'Read back after the write, the CRM does not hold the state; it is written again.',
} as const;

declare module '@email-events/core/errors' {
  interface DeclaredCodes extends Codes<typeof CRM_CODES> {}
}
