import {
  adminPort,
  type ConfigWith,
  count,
  type Finding,
  fileName,
  ms,
  port,
  section,
  z,
} from '@email-events/core/config';

const spool = section(
  {
    enabled: z
      .boolean()
      .default(true)
      .describe('Take requests while Kafka cannot. Off: they are answered "later" then.'),
    dir: z
      .string()
      .default('.email-events/spool')
      .describe(
        'Folder on a disk that outlives the process. All ingress processes of a machine may share it.',
      ),
    maxBytes: z
      .int()
      .min(16_777_216)
      .default(1_073_741_824)
      .describe('Bytes that the folder may take; beyond it the answer is "later".'),
    afterMs: ms(2_000, 'Time without an acknowledgement by Kafka after which a request is spooled.'),
    drainOnStopMs: z
      .int()
      .min(0)
      .max(86_400_000)
      .default(0)
      .describe(
        'Time after SIGTERM in which the spool is emptied before the process ends, where nobody may come to its disk afterwards. What is left then stays. Milliseconds.',
      ),
  },
  'Requests on disk while Kafka is away.',
);

const quarantine = section(
  {
    requestsPerSecond: count(10, 'Requests a second of a source that are kept; beyond it none is.'),
    bytesPerSecond: count(131_072, 'Bytes of bodies a second of a source that are kept; beyond it none is.'),
  },
  'What is kept of sources with `quarantine: true`; how long and how much of it: topics.retention.quarantineHours, topics.quarantineBytes.',
);

export const ingressSection = section(
  {
    host: z.string().default('127.0.0.1').describe('Address to listen on.'),
    port: port(8080, 'Port of the webhooks.'),
    adminPort: adminPort(
      9080,
      'Port of /healthz, /readyz and /metrics, on loopback unless adminHost says otherwise.',
    ),
    tls: z
      .strictObject({
        certFile: fileName('PEM file of the certificate chain; read again when it changes.'),
        keyFile: fileName('PEM file of the key.'),
      })
      .optional()
      .describe('Serve HTTPS; leave out behind a proxy that does.'),
    trustedProxies: z
      .array(z.string())
      .default([])
      .describe('Addresses (CIDR) whose X-Forwarded-For and X-Forwarded-Proto, or Forwarded, are believed.'),
    proxyHeaders: z
      .enum(['any', 'x-forwarded', 'forwarded'])
      .default('any')
      .describe(
        'Which of these the trusted proxies write: X-Forwarded-*, Forwarded (RFC 7239), or any: Forwarded where there is no X-Forwarded-*. With a proxy that writes Forwarded and passes on the X-Forwarded-* of senders, say forwarded.',
      ),
    fetchFromPrivate: z
      .boolean()
      .default(false)
      .describe(
        'Certificates of SNS may be fetched from private addresses: for an ingress that reaches SNS by an endpoint of its own network.',
      ),
    workers: z
      .int()
      .min(1)
      .max(64)
      .default(1)
      .describe(
        'Processes that take requests on the port, one for each core that the ingress is to use. Each has the limits below for itself, but for spool.maxBytes. Signals, health, metrics and status are those of all of them together.',
      ),
    reusePort: z
      .boolean()
      .default(false)
      .describe('Several processes of one host may listen on the port; the system spreads connections.'),
    maxConnections: count(
      2_000,
      'Open connections; beyond it the one that keeps the server waiting longest gives way to the new one.',
    ),
    maxInFlightBytes: count(
      67_108_864,
      'Bytes of bodies being received or waiting for the broker; beyond it the answer is "later".',
    ),
    maxBytesPerSecond: z
      .optional(z.int().min(1))
      .describe(
        'Bytes of genuine bodies a second of this process; beyond it the accounts that send most get 429, each held to the same rate. Leave out for no limit.',
      ),
    headersTimeoutMs: ms(10_000, 'Time to receive the headers.'),
    requestTimeoutMs: ms(30_000, 'Time to receive a whole request.'),
    keepAliveTimeoutMs: ms(60_000, 'Idle time of a kept connection.'),
    publishTimeoutMs: ms(10_000, 'Time for the broker to acknowledge; beyond it the answer is "later".'),
    spool,
    quarantine,
    drainDelayMs: z
      .int()
      .min(0)
      .default(0)
      .describe(
        'Time after SIGTERM in which it is not ready but still takes requests: what a balancer needs to notice. Milliseconds.',
      ),
  },
  'The ingress.',
);

export type IngressConfig = ConfigWith<'ingress', typeof ingressSection>;

export const ingressFindings = (config: IngressConfig): Finding[] => [
  ...timeFindings(config),
  ...limitFindings(config),
  ...quarantineFindings(config),
];

/** Times that do not go together. */
function timeFindings({ ingress }: IngressConfig): Finding[] {
  const { headersTimeoutMs, requestTimeoutMs, publishTimeoutMs, spool } = ingress;
  const found: Finding[] = [];
  if (headersTimeoutMs > requestTimeoutMs) {
    const message = 'longer than ingress.requestTimeoutMs, which the headers are part of: that one holds';
    const compared = ['ingress.requestTimeoutMs'];
    found.push({ level: 'warn', path: 'ingress.headersTimeoutMs', message, compared });
  }
  if (spool.enabled && spool.afterMs >= publishTimeoutMs) {
    const message =
      'not before ingress.publishTimeoutMs: requests would be answered "later" and never be spooled';
    const compared = ['ingress.publishTimeoutMs', 'ingress.spool.enabled'];
    found.push({ level: 'refuse', path: 'ingress.spool.afterMs', message, compared });
  }
  return found;
}

/** What is released must be known for a repetition of what came in another way. */
function quarantineFindings({ topics, sources }: IngressConfig): Finding[] {
  const { quarantineHours, seenDays } = topics.retention;
  if (!Object.values(sources).some(({ quarantine }) => quarantine)) return [];
  // A segment goes as a whole, an eighth of the time later at most.
  if ((quarantineHours * 9) / 8 < seenDays * 24) return [];
  const path = 'topics.retention.quarantineHours';
  const message = `not well below the dedupe window (topics.retention.seenDays: ${seenDays * 24} hours): what is released late would count twice`;
  return [{ level: 'refuse', path, message, compared: ['topics.retention.seenDays'] }];
}

/** Bodies that are allowed and would find no room. */
function limitFindings({ ingress, sources }: IngressConfig): Finding[] {
  const { maxInFlightBytes, spool } = ingress;
  return Object.entries(sources).flatMap(([name, { maxBodyBytes }]) => {
    const path = `sources.${name}.maxBodyBytes`;
    const found: Finding[] = [];
    // The adapter knows how much its ESP sends at most: config-check.ts.
    if (maxBodyBytes === undefined) return found;
    if (maxBodyBytes > maxInFlightBytes) {
      const message = `a body of ${maxBodyBytes} bytes never fits into ingress.maxInFlightBytes (${maxInFlightBytes}): it would be told to come again for ever`;
      found.push({ level: 'refuse', path, message, compared: ['ingress.maxInFlightBytes'] });
    }
    if (spool.enabled && maxBodyBytes > spool.maxBytes) {
      const message = `a body of ${maxBodyBytes} bytes never fits into ingress.spool.maxBytes (${spool.maxBytes})`;
      const compared = ['ingress.spool.maxBytes', 'ingress.spool.enabled'];
      found.push({ level: 'refuse', path, message, compared });
    }
    return found;
  });
}
