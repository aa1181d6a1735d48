import type { LookupAddress } from 'node:dns';
import { lookup } from 'node:dns/promises';
import { isIP, type LookupFunction } from 'node:net';
import ipaddr from 'ipaddr.js';

/** All addresses of a name. */
export type Resolve = (hostname: string) => Promise<readonly LookupAddress[]>;

export const systemResolve: Resolve = (hostname) => lookup(hostname, { all: true });

/** Whether an address is one of the open internet: neither this machine nor a network behind it, in whatever notation. */
export function isPublic(address: string): boolean {
  if (!ipaddr.isValid(address)) return false;
  const parsed = ipaddr.process(address);
  if (parsed.range() !== 'rfc6052') return parsed.range() === 'unicast';
  // An IPv4 address behind a translator.
  const bytes = parsed.toByteArray().slice(12);
  return ipaddr.fromByteArray(bytes).range() === 'unicast';
}

/**
 * Looks a name up for a connection, and finds nothing unless all of its addresses may be reached: what the name leads to is decided once,
 * and that is what is connected to.
 */
export function guardedLookup(resolve: Resolve, mayReach: (address: string) => boolean): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname).then(
      (addresses) => {
        const [first] = addresses;
        if (!first || !addresses.every(({ address }) => mayReach(address))) {
          callback(Object.assign(new Error('no address that may be reached'), { code: 'ENOTFOUND' }), '');
        } else if (options.all) callback(null, [...addresses]);
        else callback(null, first.address, first.family);
      },
      (error: NodeJS.ErrnoException) => callback(error, ''),
    );
  };
}

/** A host that is written as an address is not looked up. */
export function isAllowedHost(hostname: string, mayReach: (address: string) => boolean): boolean {
  const bare = hostname.replace(/^\[|\]$/g, '');
  return isIP(bare) === 0 || mayReach(bare);
}
