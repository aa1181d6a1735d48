import type { EmailBounced } from '@email-events/schemas';
import { integer } from './fields.ts';

export type BounceClass = EmailBounced['bounce_class'];
export type BounceCategory = EmailBounced['bounce_category'];

/** The facts in a receiving server's answer. */
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

/** All that is there must match. */
export interface BounceRow {
  /** Subject and detail of the enhanced status: "1.1" of 5.1.1. */
  readonly status?: RegExp;
  readonly text?: RegExp;
  readonly code?: number;
  readonly category: BounceCategory;
  /** Of a permanent answer; a transient one is soft. */
  readonly bounceClass: BounceClass;
}

/** E-mail addresses and links, which are no words of an answer. */
export const ADDRESS_TEXT = /[^\s<>"@]+@[^\s<>"@]+|https?:\/\/\S+/gi;

const FULL =
  /over ?quota|quota (?:is |has been )?exceeded|exceed\w* (?:\w+ ){0,2}quota|(?:mail|in)box (?:is |was )?(?:too )?full|mailbox size limit|insufficient (?:system )?storage|out of storage|exceeded storage allocation/i;
const LARGE = /too (?:large|big)|size limit|message size exceeds/i;
const SENDER =
  /\bsender\b[^.;]{0,40}(?:reject|invalid|unknown|not found|not exist|denied|fail|refus|verif|block|unauth|not a(?:uth|llow)|not permitted)|(?:invalid|unknown|bad|unverified|domain of|blocked) sender/i;
const OWN_FAULT =
  /your (?:account|domain|ip\b|server|host)|not (?:allowed|authorized|permitted) to send|sending (?:limit|quota)|credentials/i;
const LISTED =
  /black ?list|block ?list|deny ?list|\b(?:rbl|dnsbl)\b|spamhaus|spamcop|barracuda|sorbs|reputation|spam|junk|phish|unsolicited/i;
const RELAY =
  /\brelay(?:ing)?\b[^.]{0,30}(?:den|not (?:permitted|allowed)|prohibit|reject)|(?:unable|not permitted|not allowed|refuse\w*) to relay|\brelaying\b|rcpthosts/i;
const UNAUTHENTICATED =
  /dmarc|\bspf\b|\bdkim\b|unauthenticated|authenticat|reverse dns|\bptr record|starttls/i;
const POLICY =
  /\bpolic(?:y|ies)\b|rate limit|too many|too quickly|at a rate|gr[ea]y ?list|throttl|administrative|prohibited|\bblocked\b|\bbanned\b/i;
const CONTENT = /virus|malware|attachment|\bcontent\b/i;
const NO_DOMAIN =
  /nxdomain|no mx|null mx|domain (?:name )?(?:not found|does not exist)|host (?:not found|unknown)|unknown (?:host|domain)|dns error/i;
const NO_MAILBOX =
  /(?:user|recipient|mailbox|account|address)[^.]{0,40}(?:unknown|not exist|n't exist|not found|disabled|inactive|unavailable|no longer)|recipient[^.]{0,40}rejected|no such (?:user|recipient|mailbox|address|account|person)|unknown (?:user|recipient|mailbox|address)|invalid (?:user|recipient|mailbox|address)|not a (?:valid|known) (?:user|recipient|mailbox|address)|unrouteable address|undeliverable address|no mailbox here|user not local/i;
const TIMEOUT = /time(?:d)?[ -]?out|expired|connection (?:refused|reset)/i;

/**
 * The meanings of answers; the first row that fits decides. Statuses are those of RFC 3463 and the IANA registry that
 * continues it (https://www.iana.org/assignments/smtp-enhanced-status-codes), codes those of RFC 5321; words those of large
 * receivers. A status that names one cause comes before the words. What blames the message or the sender comes before
 * what blames the address: to go on sending to a bad address costs little, to suppress a good one costs a reader.
 */
export const BOUNCE_TABLE: readonly BounceRow[] = [
  // 5.1.x about the sender, 5.1.5 ("valid") and 5.1.9 (a relay that does not conform).
  { status: /^1\.[78]$/, category: 'policy', bounceClass: 'soft' },
  { status: /^1\.9$/, category: 'relay', bounceClass: 'soft' },
  { status: /^1\.5$/, category: 'other', bounceClass: 'soft' },
  { status: /^1\.(?:2|10)$/, category: 'domain_not_found', bounceClass: 'hard' },
  { status: /^1\.[1346]$/, category: 'invalid_mailbox', bounceClass: 'hard' },
  { status: /^2\.2$/, category: 'mailbox_full', bounceClass: 'soft' },
  { status: /^(?:2\.3|3\.4)$/, category: 'too_large', bounceClass: 'soft' },

  // 5.7.20 to .27 are DKIM, SPF, reverse DNS and DMARC (RFC 7372).
  { status: /^7\.2\d$/, category: 'policy', bounceClass: 'soft' },
  { status: /^7\./, text: RELAY, category: 'relay', bounceClass: 'soft' },
  { status: /^7\./, text: LISTED, category: 'spam', bounceClass: 'soft' },
  { status: /^7\./, text: CONTENT, category: 'content', bounceClass: 'soft' },
  { status: /^7\./, category: 'policy', bounceClass: 'soft' },
  { status: /^6\./, category: 'content', bounceClass: 'soft' },

  // Exchange Online says 5.4.1 "Recipient address rejected: Access denied" of an address that is not in the directory.
  {
    status: /^4\.1$/,
    text: /recipient[^.]{0,40}rejected/i,
    category: 'invalid_mailbox',
    bounceClass: 'hard',
  },
  { status: /^4\./, text: RELAY, category: 'relay', bounceClass: 'soft' },
  { status: /^4\.4$/, text: NO_DOMAIN, category: 'domain_not_found', bounceClass: 'hard' },
  { status: /^4\.4$/, category: 'domain_not_found', bounceClass: 'soft' },
  { status: /^4\.[127]$/, category: 'timeout', bounceClass: 'soft' },
  { status: /^4\.(?:6|14)$/, category: 'relay', bounceClass: 'soft' },
  { status: /^5\.3$/, category: 'policy', bounceClass: 'soft' },

  { text: FULL, category: 'mailbox_full', bounceClass: 'soft' },
  { text: LARGE, category: 'too_large', bounceClass: 'soft' },
  { text: SENDER, category: 'policy', bounceClass: 'soft' },
  { text: OWN_FAULT, category: 'policy', bounceClass: 'soft' },
  { text: LISTED, category: 'spam', bounceClass: 'soft' },
  { text: RELAY, category: 'relay', bounceClass: 'soft' },
  { text: UNAUTHENTICATED, category: 'policy', bounceClass: 'soft' },
  { text: POLICY, category: 'policy', bounceClass: 'soft' },
  { text: NO_DOMAIN, category: 'domain_not_found', bounceClass: 'hard' },
  { text: NO_MAILBOX, category: 'invalid_mailbox', bounceClass: 'hard' },
  { text: CONTENT, category: 'content', bounceClass: 'soft' },
  { text: TIMEOUT, category: 'timeout', bounceClass: 'soft' },
  { text: /\bdenied\b/i, category: 'policy', bounceClass: 'soft' },

  // Statuses that say where, not what: "address", "mailbox disabled" (for now, or for good), the system, the network.
  { status: /^1\.0$/, category: 'invalid_mailbox', bounceClass: 'hard' },
  { status: /^2\.1$/, category: 'invalid_mailbox', bounceClass: 'undetermined' },
  { status: /^[34]\./, category: 'other', bounceClass: 'soft' },
  { code: 452, category: 'mailbox_full', bounceClass: 'soft' },
  { code: 552, category: 'mailbox_full', bounceClass: 'soft' },
  { code: 530, category: 'policy', bounceClass: 'soft' },
  { code: 535, category: 'policy', bounceClass: 'soft' },
];
