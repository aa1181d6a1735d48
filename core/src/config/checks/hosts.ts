/** Host of `host:port`, `[::1]:9092` or a host alone. */
export function hostOf(address: string): string {
  const bracketed = /^\[([^\]]*)\]/.exec(address)?.[1];
  if (bracketed !== undefined) return bracketed;
  const colon = address.indexOf(':');
  // Several colons: an IPv6 address without brackets.
  return colon === -1 || colon !== address.lastIndexOf(':') ? address : address.slice(0, colon);
}

/** Data sent to this host does not leave the machine. */
export function isLoopbackHost(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, '').toLowerCase();
  return bare === 'localhost' || bare === '::1' || /^(::ffff:)?127(\.\d{1,3}){3}$/.test(bare);
}

/** A server that listens on it takes connections to any address of the machine. */
export const isWildcard = (host: string): boolean => ['0.0.0.0', '::', '[::]', ''].includes(host);
