import type { EmailDropped } from '@email-events/schemas';
import { bounceVerdict } from './bounce.ts';
import { type BounceCategory, smtpFacts } from './smtp.ts';

export type DropReason = EmailDropped['drop_reason'];

/** What is remembered of the address comes before what is said of the message. */
const BY_WORDING: readonly (readonly [RegExp, DropReason])[] = [
  [/complain|spam[ -]?report|abuse/i, 'complained'],
  [/unsubscri|opt(?:ed)?[ -]?out/i, 'unsubscribed'],
  [/bounce|suppress/i, 'bounced'],
  [/spam/i, 'spam'],
  [/invalid|malformed|bad (?:address|recipient|email)/i, 'invalid'],
  [/expired|too old/i, 'expired'],
  [/content|virus|attachment|template/i, 'content'],
];

/** What an earlier answer of the receiving server, where it is quoted, comes to. */
const BY_CATEGORY: { readonly [category in BounceCategory]?: DropReason } = {
  invalid_mailbox: 'invalid',
  domain_not_found: 'invalid',
  spam: 'spam',
  content: 'content',
  too_large: 'content',
  timeout: 'expired',
};

/** Why an ESP did not attempt delivery, in its own words or in those that it quotes. */
export function dropReason(words: string | null): DropReason {
  const own = BY_WORDING.find(([pattern]) => pattern.test(words ?? ''))?.[1];
  return own ?? BY_CATEGORY[bounceVerdict(smtpFacts(words), words).bounce_category] ?? 'other';
}
