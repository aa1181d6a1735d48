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

/** Class of a bounce by its SMTP answer, for ESPs (or cases) without a verdict of their own. */
export function bounceClass({ code, enhanced }: SmtpFacts, answer: string | null): BounceClass {
  if (enhanced?.startsWith('4.')) return 'soft';
  if (enhanced === null && code !== null && code >= 400 && code < 500) return 'soft';
  if (enhanced !== null) {
    // Full mailboxes empty again, and refusals by policy are not the address's fault.
    if (enhanced.startsWith('5.2.2') || enhanced.startsWith('5.7.')) return 'soft';
    if (enhanced.startsWith('5.1.')) return 'hard';
    if (enhanced === '5.4.4') return answer !== null && NO_DOMAIN.test(answer) ? 'hard' : 'soft';
    return enhanced.startsWith('5.') ? 'hard' : 'undetermined';
  }
  return code !== null && code >= 500 ? 'hard' : 'undetermined';
}

const NO_DOMAIN =
  /nxdomain|no mx|domain (?:name )?(?:not found|does not exist)|host (?:not found|unknown)|unknown (?:host|domain)|dns error/i;

/** Subject and detail of enhanced status codes that name a cause (RFC 3463, and 5.7.x of RFC 7372). */
const BY_STATUS: readonly (readonly [RegExp, BounceCategory])[] = [
  [/^.\.2\.2$/, 'mailbox_full'],
  [/^.\.(?:2\.3|3\.4)$/, 'too_large'],
  [/^.\.(?:1\.2|4\.4|1\.10)$/, 'domain_not_found'],
  [/^.\.(?:1\.[0136]|2\.1)$/, 'invalid_mailbox'],
  [/^.\.4\.[127]$/, 'timeout'],
  [/^.\.6\.\d+$/, 'content'],
];

/** Wording of large receivers; the first match decides. */
const BY_WORDING: readonly (readonly [RegExp, BounceCategory])[] = [
  [/over ?quota|quota exceeded|(?:mail|in)box (?:is |was )?full|insufficient storage/i, 'mailbox_full'],
  [/too (?:large|big)|size limit|message size exceeds/i, 'too_large'],
  [/relay/i, 'relay'],
  [NO_DOMAIN, 'domain_not_found'],
  [
    /(?:user|recipient|mailbox|account|address)[^.]{0,40}(?:unknown|not exist|not found|disabled|inactive|unavailable|rejected)|no such (?:user|recipient|mailbox)|unknown (?:user|recipient)|invalid (?:recipient|mailbox|address)/i,
    'invalid_mailbox',
  ],
  [/spam|junk|blacklist|blocklist|block list|denylist|spamhaus|\brbl\b|reputation/i, 'spam'],
  [/virus|attachment|content|malware/i, 'content'],
  [/time(?:d)?[ -]?out|expired|connection (?:refused|reset)/i, 'timeout'],
  [/policy|dmarc|spf|dkim|authenticat|denied|rate limit|too many/i, 'policy'],
];

/** Cause of a bounce by its SMTP answer. */
export function bounceCategory({ enhanced }: SmtpFacts, answer: string | null): BounceCategory {
  if (enhanced !== null) {
    for (const [pattern, category] of BY_STATUS) if (pattern.test(enhanced)) return category;
  }
  if (answer !== null) {
    for (const [pattern, category] of BY_WORDING) if (pattern.test(answer)) return category;
  }
  return enhanced?.slice(1).startsWith('.7.') ? 'policy' : 'other';
}
