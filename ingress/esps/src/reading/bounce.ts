import { ADDRESS_TEXT, BOUNCE_TABLE, type BounceRow } from './bounce-table.ts';
import type { BounceCategory, BounceClass, SmtpFacts } from './smtp.ts';

export interface BounceVerdict {
  readonly bounce_class: BounceClass;
  readonly bounce_category: BounceCategory;
}

/** What the ESP says beside the receiving server's answer, in its own fields. */
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
      // A mailbox that is not there is nothing temporary: whoever says both does not know.
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
