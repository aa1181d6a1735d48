import {
  adminPort,
  type ConfigWith,
  count,
  type Finding,
  fileName,
  isLoopbackHost,
  ms,
  port,
  secret,
  z,
} from '@email-events/core/config';

export const SERVICE = 'lookup';
/** Said by the service if its section is left out. */
export const ABSENT = 'no look-ups are configured, and this service is for them';

export const lookupSection = z
  .strictObject({
    host: z.string().default('127.0.0.1').describe('Address to listen on.'),
    port: port(8085, 'Port of the look-ups.'),
    adminPort: adminPort(9085),
    tls: z
      .strictObject({
        certFile: fileName('PEM file of the certificate chain; read again when it changes.'),
        keyFile: fileName('PEM file of the key.'),
      })
      .optional()
      .describe('Serve HTTPS; leave out behind a proxy that does, and name the host in plaintextHosts.'),
    tokens: z
      .array(secret('A token that callers may come with.'))
      .default([])
      .describe('Bearer tokens of callers, at least one, 16 to 512 letters, digits or any of -._~+/=.'),
    maxAgeMs: z
      .int()
      .min(1_000)
      .optional()
      .describe(
        'Answer "later" once what is known is older than this; leave out to answer all the same, with its age. Milliseconds.',
      ),
    maxStateBytes: count(
      4_294_967_296,
      'Bytes that the states may take in memory, about 55 a recipient; beyond it the service ends.',
    ),
    maxBodyBytes: count(4_194_304, 'Largest body of a call.'),
    maxInFlightBytes: count(
      67_108_864,
      'Bytes of bodies that are under way; beyond it the answer is "later".',
    ),
    maxConnections: count(1_000, 'Open connections; beyond it new ones are closed.'),
    requestTimeoutMs: ms(30_000, 'Time to receive a whole request.'),
    keepAliveTimeoutMs: ms(60_000, 'Idle time of a kept connection.'),
  })
  .optional()
  .describe('Whether an address may be mailed, over HTTP; leave out for none.');

export type LookupConfig = ConfigWith<'sinks.lookup', typeof lookupSection>;
export type LookupSettings = NonNullable<LookupConfig['sinks']['lookup']>;

export function lookupFindings({ sinks: { lookup }, plaintextHosts }: LookupConfig): Finding[] {
  if (!lookup) return [];
  const found: Finding[] = [];
  if (!lookup.tls && !isLoopbackHost(lookup.host) && !plaintextHosts.includes(lookup.host.toLowerCase())) {
    const message = `tokens would come to ${lookup.host} unencrypted: set sinks.lookup.tls or, behind a proxy that serves HTTPS in a network that is trusted, name the host in plaintextHosts`;
    const compared = ['sinks.lookup.tls', 'plaintextHosts'];
    found.push({ level: 'refuse', path: 'sinks.lookup.host', message, compared });
  }
  if (lookup.maxBodyBytes > lookup.maxInFlightBytes) {
    const message = 'a body of this size never fits into sinks.lookup.maxInFlightBytes';
    const compared = ['sinks.lookup.maxInFlightBytes'];
    found.push({ level: 'refuse', path: 'sinks.lookup.maxBodyBytes', message, compared });
  }
  return found;
}
