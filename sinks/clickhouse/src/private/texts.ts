import { keyedId, type Pseudonym } from '@email-events/core';

const RECIPIENT = '<recipient>';
/** Where an address ends, in prose and in links. */
const NO_ADDRESS = /[\s<>"'(),:;[\]=/?&#]/;
/** Characters before and after the @ of an address. */
const [MOST_BEFORE, MOST_BEHIND] = [64, 255];
/** Local parts of so few letters are parts of prose: they are looked for with their domain only. */
const LEAST_WORD = 3;
/** Nobody's name, and what servers say why they refuse mail: without these a reason could not be read any more. */
const NOBODY: ReadonlySet<string> = new Set([
  ...[
    'user',
    'mailbox',
    'account',
    'recipient',
    'address',
    'unknown',
    'invalid',
    'mail',
    'email',
    'message',
    'list',
  ],
  ...[
    'postmaster',
    'abuse',
    'info',
    'admin',
    'support',
    'service',
    'spam',
    'policy',
    'full',
    'quota',
    'over',
    'limit',
  ],
  ...[
    'blocked',
    'rejected',
    'host',
    'domain',
    'server',
    'delivery',
    'test',
    'the',
    'not',
    'smtp',
    'https',
    'http',
  ],
]);

/** Between the two parts of an address: as it is, as links and as return paths write it. */
const SEPARATORS = ['@', '%40', '%2540', '='];

/** Takes a person out of texts: the recipient in every spelling, and the address that an event came from. */
export class PersonInTexts {
  private readonly local: string;
  private readonly domains: readonly string[];
  private readonly ip: string | null;
  private addresses: readonly string[] | undefined;
  private words: readonly string[] | undefined;

  /** `recipient` as the ESP wrote it, `key` as it is known by. */
  constructor(recipient: string, key: string, ip: string | null) {
    const { local, domain } = partsOf(key);
    this.local = local;
    this.domains =
      local === '' || domain === '' ? [] : [domain, partsOf(recipient.trim().toLowerCase()).domain];
    this.ip = ip === '' ? null : ip;
  }

  /** Of a name or an id: only what is surely the recipient, since what is left tells names apart. */
  inName(text: string): string {
    const out = mayName(text) ? without(text, this.addressesOf(), false) : text;
    return this.ip === null ? out : out.replaceAll(this.ip, '<ip>');
  }

  /** Of prose: any address, as a whole, and the recipient's name before the @ as a word. */
  inProse(text: string): string {
    const isOwn = (address: string) => this.addressesOf().includes(lowerOf(address));
    const out = mayName(text) ? withoutAddresses(text, isOwn) : text;
    return without(this.inName(out), this.wordsOf(), true);
  }

  private addressesOf(): readonly string[] {
    this.addresses ??= spellings([this.local]).flatMap((local) =>
      SEPARATORS.flatMap((between) => spellings(this.domains).map((domain) => local + between + domain)),
    );
    return this.addresses;
  }

  private wordsOf(): readonly string[] {
    const [plain = ''] = this.local.split('+');
    this.words ??= spellings([this.local, plain]).filter(
      (word) => word.length >= LEAST_WORD && !NOBODY.has(word),
    );
    return this.words;
  }
}

/** Each once, also as links write it; in lower case. */
const spellings = (texts: readonly string[]) => [
  ...new Set(texts.flatMap((text) => [text, encodeURIComponent(text.toWellFormed()).toLowerCase()])),
];

/** Without anybody's address, as servers quote whom mail was sent on to. From each @ outwards, so that no text takes longer than its length. */
function withoutAddresses(text: string, isOwn: (address: string) => boolean): string {
  let [out, done] = ['', 0];
  const signs = ['@', '%40'].map((sign) => ({ sign, at: text.indexOf(sign) }));
  for (let from = 0; ; ) {
    for (const one of signs) if (one.at >= 0 && one.at < from) one.at = text.indexOf(one.sign, from);
    const [next] = signs.filter(({ at }) => at >= 0).sort((a, b) => a.at - b.at);
    if (!next) return out + text.slice(done);
    const begin = next.at + next.sign.length;
    let [start, end] = [next.at, begin];
    while (start > Math.max(done, next.at - MOST_BEFORE) && isOfAddress(text, start - 1)) start--;
    while (end < Math.min(text.length, begin + MOST_BEHIND) && isOfAddress(text, end)) end++;
    if (start < next.at && end > begin) {
      out += text.slice(done, start) + (isOwn(text.slice(start, end)) ? RECIPIENT : '<address>');
      done = end;
    }
    from = end;
  }
}

const isOfAddress = (text: string, at: number) => !NO_ADDRESS.test(text.charAt(at));

const LETTER = /[\p{L}\p{N}]/u;
/** A character as links write it, once or twice: its last digit is no letter of what follows. */
const ESCAPED = /%(?:25)?[\da-f]{2}$/;

/** Whether a longer word goes on there. */
const isWithin = (lower: string, at: number) =>
  LETTER.test(lower[at - 1] ?? ' ') && !ESCAPED.test(lower.slice(Math.max(0, at - 5), at));

/**
 * A text without these, which are in lower case, where no letter stands before them; `whole`: nor behind. Regular expressions would be made anew for each recipient,
 * at a hundred times the cost.
 */
function without(text: string, words: readonly string[], whole: boolean): string {
  let out = text;
  for (const word of words) {
    const lower = lowerOf(out);
    let [kept, done] = ['', 0];
    for (let at = lower.indexOf(word); at >= 0; at = lower.indexOf(word, at + 1)) {
      const end = at + word.length;
      if (at < done || isWithin(lower, at) || (whole && LETTER.test(lower[end] ?? ' '))) continue;
      kept += out.slice(done, at) + RECIPIENT;
      done = end;
    }
    out = kept + out.slice(done);
  }
  return out;
}

/** In lower case, each character where it was. */
function lowerOf(text: string): string {
  const lower = text.toLowerCase();
  if (lower.length === text.length) return lower;
  return [...text].map((one) => (one.toLowerCase().length === one.length ? one.toLowerCase() : one)).join('');
}

/**
 * A link without what tells people apart: what follows ? or # is a keyed hash, so that different links stay different, and the same one is the same
 * for everybody.
 */
export function linkKept(url: string, person: PersonInTexts, by: Pseudonym): string {
  const end = url.search(/[?#]/);
  const plain = person.inProse(
    (end < 0 ? url : url.slice(0, end)).replace(/^([a-z][a-z\d+.-]*:\/\/)[^/]*@/i, '$1'),
  );
  return end < 0 ? plain : `${plain}?h=${keyedId(`link ${url.slice(end)}`, by).slice(0, 16)}`;
}

/** An address has one of these, in whichever spelling. */
const mayName = (text: string) => text.includes('@') || text.includes('%') || text.includes('=');

function partsOf(address: string): { local: string; domain: string } {
  const at = address.lastIndexOf('@');
  return at < 0
    ? { local: address, domain: '' }
    : { local: address.slice(0, at), domain: address.slice(at + 1) };
}
