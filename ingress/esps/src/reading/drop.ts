import type { EmailDropped } from '@email-events/schemas';

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

/** Why an ESP did not attempt delivery, in its own words. */
export function dropReason(words: string | null): DropReason {
  return BY_WORDING.find(([pattern]) => pattern.test(words ?? ''))?.[1] ?? 'other';
}
