import { type Disposition, type ErrorCode, PipelineError } from '@email-events/core';

/**
 * Kinds of failed calls, by what they say about the CRM.
 * throttled: too many calls. unavailable: it cannot work now. unverified: the write did not hold.
 * misconfigured: every call would fail until someone changes the configuration. rejected: only this state is refused.
 * paused: no call was made.
 */
export type CrmFailure = 'throttled' | 'unavailable' | 'unverified' | 'misconfigured' | 'rejected' | 'paused';

/** A call to a CRM that failed; adapters throw nothing else on purpose. Messages hold no address and no payload. */
export class CrmError extends PipelineError {
  readonly failure: CrmFailure;
  /** Milliseconds that the CRM asked us to wait. */
  readonly afterMs: number | undefined;

  constructor(
    failure: CrmFailure,
    code: ErrorCode,
    message: string,
    options: ErrorOptions & { afterMs?: number | undefined } = {},
  ) {
    const disposition: Disposition = failure === 'rejected' ? 'deadletter' : 'retry';
    super(code, disposition, message, options);
    this.failure = failure;
    this.afterMs = options.afterMs;
  }
}

/** The error of an answer's status; undefined for a success. The one place where a status gets its meaning. */
export function errorOfStatus(status: number, afterMs: number | undefined): CrmError | undefined {
  if (status >= 200 && status < 300) return undefined;
  const message = `the CRM answered ${status}`;
  if (status < 400) return new CrmError('misconfigured', 'SINK_CRM_REDIRECTED', message);
  switch (status) {
    case 401:
    // ActiveCampaign's for an account that is not paid for.
    case 402:
    case 403:
      return new CrmError('misconfigured', 'SINK_CRM_UNAUTHORIZED', message);
    case 429:
    // HubSpot's while it moves an account, for up to a day.
    case 477:
      return new CrmError('throttled', 'SINK_CRM_THROTTLED', message, { afterMs });
    case 408:
    // A lock that lasts for seconds.
    case 423:
    case 425:
      return new CrmError('unavailable', 'SINK_CRM_UNAVAILABLE', message, { afterMs });
    default:
      return status >= 500
        ? new CrmError('unavailable', 'SINK_CRM_UNAVAILABLE', message, { afterMs })
        : new CrmError('rejected', 'SINK_CRM_REJECTED', message);
  }
}
