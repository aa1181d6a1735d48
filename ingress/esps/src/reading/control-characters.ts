/**
 * Whether an address holds a control character: C0 (NUL, line ends, ESC), DEL or C1. No mailbox has one (RFC 5321 4.1.2
 * allows none, quoted or not), and whoever prints, logs or compares the address might obey it. Space around the address
 * does not count: its key goes without.
 */
export function hasControlCharacter(address: string): boolean {
  const trimmed = address.trim();
  for (let at = 0; at < trimmed.length; at++) {
    const code = trimmed.charCodeAt(at);
    if (code < 0x20 || (code >= 0x7f && code < 0xa0)) return true;
  }
  return false;
}
