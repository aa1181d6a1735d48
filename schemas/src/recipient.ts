import { domainToASCII } from 'node:url';

/**
 * Key of a recipient: trimmed, lower-cased address with its domain in ASCII form.
 * An address without a usable domain is only trimmed and lower-cased: it is still a key, never an error.
 */
export function recipientKey(address: string): string {
  const key = address.trim().toLowerCase();
  if (isAscii(key)) return key;
  const at = key.lastIndexOf('@');
  const domain = domainToASCII(key.slice(at + 1));
  return domain === '' ? key : key.slice(0, at + 1) + domain;
}

/** Domain of an address, lower case, ASCII form; empty if it has none. */
export function recipientDomain(address: string): string {
  const key = recipientKey(address);
  const at = key.lastIndexOf('@');
  return at === -1 ? '' : key.slice(at + 1);
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false;
  return true;
}

/** RFC 5321, 4.5.3.1: 64 octets of local part, @, 255 of domain. */
const MAX_LENGTH = 320;
const DOMAIN = /^(?=.{1,255}$)(?!-)[a-z0-9-]{1,63}(?<!-)(?:\.(?!-)[a-z0-9-]{1,63}(?<!-))+$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
const UNUSABLE = /[\u0000-\u0020\u007f-\u009f\u2028\u2029<>,;]/;

/** Recipient key of an address that a person wrote; undefined if it is none. Quoted local parts with blanks are not taken. */
export function keyOfAddress(address: string): string | undefined {
  const key = recipientKey(address);
  const at = key.lastIndexOf('@');
  if (at < 1 || key.length > MAX_LENGTH || UNUSABLE.test(key)) return undefined;
  return DOMAIN.test(key.slice(at + 1)) ? key : undefined;
}
