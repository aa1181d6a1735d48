import type { Codes } from '@email-events/core/errors';

/** Codes of `alerts`. */
export const ALERTS_CODES = {
  ALERTS_NOT_OPEN:
    'The windows of the alerts are another instance’s now, or are being read; the batch waits.',
  ALERTS_BEHIND:
    'The reports that were received lately are not all read, or cannot be judged now, so nothing fires and nothing resolves until they are.',
  ALERTS_HTTP_UNREACHABLE: 'The receiver of alerts gives no answer in time; it is tried again.',
  ALERTS_HTTP_REFUSED:
    'The receiver of alerts answers with an error of its own or of its gateway, or does not know the signature; it is tried again.',
  ALERTS_HTTP_REJECTED: 'The receiver of alerts refuses this one for good; it stays on the topic.',
} as const;

declare module '@email-events/core/errors' {
  interface DeclaredCodes extends Codes<typeof ALERTS_CODES> {}
}
