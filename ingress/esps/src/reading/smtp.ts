import type { EmailBounced } from '@email-events/schemas';
import { integer } from './fields.ts';

export type BounceClass = EmailBounced['bounce_class'];
export type BounceCategory = EmailBounced['bounce_category'];

/** What a receiving server's answer says. */
export interface SmtpFacts {
  readonly code: number | null;
  /** Enhanced status code (RFC 3463). */
  readonly enhanced: string | null;
}

/** Of an ESP that does not pass on what the server said. */
export const NO_ANSWER: SmtpFacts = { code: null, enhanced: null };

// The reply code opens the answer, or follows "smtp;" (RFC 3464) or the ESP's own prose.
const REPLY = /(?:^|[\s;:("'])([245]\d\d)(?=[\s\-:;,)"']|$)/;
// Not part of an IP address or a version number.
const ENHANCED = /(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?!\.?\d)/;

/** Reply code and enhanced status in the text of an answer. Fields of their own, where the ESP has them, come first. */
export function smtpFacts(answer: string | null, code?: unknown, status?: unknown): SmtpFacts {
  const ownCode = integer(code);
  const ownStatus = typeof status === 'string' ? ENHANCED.exec(status)?.[1] : undefined;
  return {
    code:
      ownCode !== null && ownCode >= 200 && ownCode < 600
        ? ownCode
        : (integer(answer === null ? null : (REPLY.exec(answer)?.[1] ?? null)) ?? null),
    enhanced: ownStatus ?? (answer === null ? null : (ENHANCED.exec(answer)?.[1] ?? null)),
  };
}
