import type { EmailDropped, EventType } from '@email-events/schemas';
import type { EspEvent, Item } from '../adapter.ts';
import {
  ADDRESS_TEXT,
  BOUNCE_TABLE,
  type BounceCategory,
  type BounceClass,
  type BounceRow,
  type SmtpFacts,
  smtpFacts,
} from './bounce-table.ts';

export interface BounceVerdict {
  readonly bounce_class: BounceClass;
  readonly bounce_category: BounceCategory;
}

/** The ESP's own statement, in fields beside the receiving server's answer. */
export interface VendorWord {
  /**
   * `address`: the address is bad, and it says so of the address ·
   * `hard`: it calls the bounce hard, without a cause ·
   * `soft`: it calls it temporary ·
   * `message`: this message or its sender was refused, the address is fine ·
   * `nothing`: it says that it does not know.
   * Absent: it only says that it stopped trying.
   */
  readonly says?: 'address' | 'hard' | 'soft' | 'message' | 'nothing' | undefined;
  /** The cause that it names. */
  readonly category?: BounceCategory | undefined;
}

/**
 * Class and category of a bounce, the same at every ESP. `hard` means that the address is bad, never that a message was
 * refused. The receiving server's answer comes first; the ESP's word counts where the answer names no cause.
 */
export function bounceVerdict(
  smtp: SmtpFacts,
  answer: string | null,
  vendor: VendorWord = {},
): BounceVerdict {
  const transient = isTransient(smtp);
  const row = rowOf(smtp, answer);
  if (row === undefined) return byVendor(vendor, transient);
  if (transient) return softened(row);
  return { bounce_class: classOf(row, vendor), bounce_category: row.category };
}

function rowOf({ code, enhanced }: SmtpFacts, answer: string | null): BounceRow | undefined {
  // The subject and the detail say what it is about; the first digit only whether it lasts.
  const status = enhanced === null ? '' : enhanced.slice(2);
  const words = wordsOf(answer ?? '');
  return BOUNCE_TABLE.find(
    (row) =>
      (row.status === undefined || row.status.test(status)) &&
      (row.text === undefined || row.text.test(words)) &&
      (row.code === undefined || row.code === code),
  );
}

/** Characters. A line of an answer has at most 512 (RFC 5321 4.5.3.1.5); reading takes time by the square of what there is. */
const MAX_READ = 2_000;

/** Addresses and links in an answer contain any words, and mean none of them. */
function wordsOf(answer: string): string {
  return answer.slice(0, MAX_READ).replace(ADDRESS_TEXT, ' ');
}

/** "Come again" says nothing of whether there is such a mailbox. */
function softened({ category }: BounceRow): BounceVerdict {
  return { bounce_class: 'soft', bounce_category: category === 'invalid_mailbox' ? 'other' : category };
}

function classOf({ bounceClass, text }: BounceRow, { says }: VendorWord): BounceClass {
  if (bounceClass === 'hard') {
    // Words ("mailbox unavailable") are less certain than a status: not against an ESP that calls it temporary.
    const doubted = says === 'message' || (says === 'soft' && text !== undefined);
    return doubted ? 'undetermined' : 'hard';
  }
  if (bounceClass === 'undetermined') return says === 'hard' || says === 'address' ? 'hard' : 'undetermined';
  return bounceClass;
}

function byVendor({ says, category = 'other' }: VendorWord, transient: boolean): BounceVerdict {
  const aboutAddress = category === 'invalid_mailbox' || category === 'domain_not_found';
  const bad = transient ? 'undetermined' : 'hard';
  const verdict = (bounce_class: BounceClass, bounce_category = category) => ({
    bounce_class,
    bounce_category,
  });
  switch (says) {
    case 'address':
      return verdict(bad, aboutAddress ? category : 'invalid_mailbox');
    case 'hard':
      return verdict(aboutAddress || category === 'other' ? bad : 'soft');
    case 'soft':
    case 'message':
      // A mailbox that is not there is nothing temporary: an ESP that says both does not know.
      return verdict(category === 'invalid_mailbox' ? 'undetermined' : 'soft');
    case 'nothing':
      return verdict('undetermined');
    case undefined:
      return verdict(transient || !(aboutAddress || category === 'other') ? 'soft' : 'undetermined');
  }
}

function isTransient({ code, enhanced }: SmtpFacts): boolean {
  return enhanced === null ? code !== null && code >= 400 && code < 500 : enhanced.startsWith('4.');
}

export type DropReason = EmailDropped['drop_reason'];

/** Words about what the ESP remembers of the address come before words about the message. */
const BY_WORDING: readonly (readonly [RegExp, DropReason])[] = [
  [/complain|spam[ -]?report|abuse/i, 'complained'],
  [/unsubscri|opt(?:ed)?[ -]?out/i, 'unsubscribed'],
  [/bounce|suppress/i, 'bounced'],
  [/spam/i, 'spam'],
  [/invalid|malformed|bad (?:address|recipient|email)/i, 'invalid'],
  [/expired|too old/i, 'expired'],
  [/content|virus|attachment|template/i, 'content'],
];

/** The drop reason for an earlier answer of the receiving server, where the ESP quotes one. */
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

/** The meaning of a bounce code. */
export interface BounceMeaning extends VendorWord {
  readonly type: EventType;
}

/**
 * SparkPost (bounce_class) and Mandrill (bgtools_code) number their bounces in the same way.
 * Seen 2026-11: https://support.sparkpost.com/docs/deliverability/bounce-classification-codes
 */
export const BOUNCE_CODES: ReadonlyMap<string, BounceMeaning> = new Map<string, BounceMeaning>([
  ['1', { type: 'bounced', says: 'nothing' }],
  ['10', { type: 'bounced', says: 'address', category: 'invalid_mailbox' }],
  ['20', { type: 'bounced', says: 'soft' }],
  ['21', { type: 'bounced', says: 'soft', category: 'domain_not_found' }],
  ['22', { type: 'bounced', says: 'soft', category: 'mailbox_full' }],
  ['23', { type: 'bounced', says: 'soft', category: 'too_large' }],
  ['24', { type: 'bounced', says: 'soft', category: 'timeout' }],
  ['25', { type: 'bounced', says: 'nothing', category: 'policy' }],
  ['30', { type: 'bounced', says: 'address', category: 'invalid_mailbox' }],
  ['40', { type: 'bounced', says: 'soft' }],
  ['50', { type: 'bounced', says: 'message', category: 'policy' }],
  ['51', { type: 'bounced', says: 'message', category: 'spam' }],
  ['52', { type: 'bounced', says: 'message', category: 'spam' }],
  ['53', { type: 'bounced', says: 'message', category: 'content' }],
  ['54', { type: 'bounced', says: 'message', category: 'relay' }],
  // An answering machine, a request to be put on a list or a challenge: the mail has arrived.
  ['60', { type: 'other' }],
  ['70', { type: 'bounced', says: 'soft' }],
  ['80', { type: 'other' }],
  ['90', { type: 'unsubscribed' }],
  ['100', { type: 'other' }],
]);

const WORDS =
  /out[ -]of[ -](?:the[ -])?office|\bauto(?:matic|mated)?[ -]?(?:repl(?:y|ied)|response|responder|answer)|\bon (?:\w+ )?(?:vacation|holiday|leave)\b|vacation (?:reply|message|notice)|abwesenheit|absence du bureau|fuera de la oficina/i;

/**
 * An answering machine's mail, which some ESPs report as a bounce that is temporary (SES as Transient/General, and who
 * sends by way of it): the message has arrived. A receiving server that refused has said so with a code.
 */
export function withoutAutoReply(event: EspEvent, item: Item): EspEvent {
  const { type, bounce_class, smtp_code, diagnostic } = event;
  if (type !== 'bounced' || bounce_class === 'hard' || (smtp_code ?? 0) >= 400) return event;
  if (!WORDS.test(diagnostic ?? '')) return event;
  const nothing = { bounce_class: undefined, bounce_category: undefined, diagnostic: undefined };
  const formerly = event.formerly ?? [{ type: 'bounced' as const }];
  return { ...event, ...nothing, formerly, enhanced_status: undefined, type: 'other', payload: item.text };
}
