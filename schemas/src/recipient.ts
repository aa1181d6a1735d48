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
