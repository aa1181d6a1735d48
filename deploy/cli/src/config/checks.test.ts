import { ConfigError } from '@email-events/core/config';
import { describe, expect, test } from 'vitest';
import { pipelineConfig } from '../services.ts';

/** `refuse path` and `warn path` of what is found. */
function found(data: object): string[] {
  try {
    return pipelineConfig.schema
      .findings(pipelineConfig.parse(data))
      .map(({ level, path }) => `${level} ${path}`);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map(({ path }) => `refuse ${path}`);
  }
}

const message = (data: object) => {
  try {
    pipelineConfig.parse(data);
  } catch (error) {
    return (error as Error).message;
  }
  return '';
};

test('the defaults are fine', () => {
  expect(found({})).toEqual([]);
});

describe('accounts', () => {
  const source = (esp: string, account?: string) => ({ esp, secrets: ['x'.repeat(32)], account });

  test('two sources of one ESP must say whose events they are; the message names both', () => {
    const sources = { old: source('mailgun'), fresh: source('mailgun'), other: source('ses') };
    expect(found({ sources })).toEqual(['refuse sources.old.account', 'refuse sources.fresh.account']);
    expect(message({ sources })).toContain('old and fresh have the same ESP (mailgun)');
  });

  test('one that says nothing is enough to be refused', () => {
    expect(found({ sources: { a: source('mailgun', 'main'), b: source('mailgun') } })).toEqual([
      'refuse sources.b.account',
    ]);
  });

  test.each([
    ['two accounts', { a: source('mailgun', 'main'), b: source('mailgun', 'other') }],
    ['two webhooks of one account', { a: source('mailgun', 'main'), b: source('mailgun', 'main') }],
    ['one of each ESP', { a: source('mailgun'), b: source('mailjet') }],
  ])('%s are fine', (_, sources) => {
    expect(found({ sources })).toEqual([]);
  });

  test.each(['', 'Main', 'a b', '-a', 'a'.repeat(64)])('%j is no account', (account) => {
    expect(found({ sources: { a: source('mailgun', account) } })).toEqual(['refuse sources.a.account']);
  });
});

describe('passwords on the way', () => {
  const sasl = (mechanism: string) => ({ mechanism, username: 'u', password: 'p' });
  const far = ['127.0.0.1:9092', 'kafka.example:9092'];

  test.each([
    [
      'SASL plain without TLS',
      { kafka: { brokers: far, sasl: sasl('plain') } },
      ['refuse kafka.sasl.mechanism'],
    ],
    [
      'SCRAM without TLS',
      { kafka: { brokers: far, sasl: sasl('scram-sha-512') } },
      ['warn kafka.sasl.mechanism'],
    ],
    [
      'tokens without TLS',
      { kafka: { brokers: far, sasl: { ...sasl('oauthbearer'), tokenUrl: 'https://tokens.example' } } },
      ['refuse kafka.sasl.mechanism'],
    ],
    [
      'tokens that are asked for without TLS',
      { kafka: { sasl: { ...sasl('oauthbearer'), tokenUrl: 'http://tokens.example' } } },
      ['refuse kafka.sasl.tokenUrl'],
    ],
    ['tokens from nowhere', { kafka: { sasl: sasl('oauthbearer') } }, ['refuse kafka.sasl.tokenUrl']],
    [
      'tokens for SCRAM',
      { kafka: { sasl: { ...sasl('scram-sha-512'), tokenUrl: 'https://tokens.example' } } },
      ['refuse kafka.sasl.tokenUrl'],
    ],
    ['plain with TLS', { kafka: { brokers: far, sasl: sasl('plain'), tls: { enabled: true } } }, []],
    ['plain on loopback', { kafka: { brokers: ['localhost:9092', '[::1]:1'], sasl: sasl('plain') } }, []],
    [
      'plain to a trusted host',
      { kafka: { brokers: far, sasl: sasl('plain') }, plaintextHosts: ['Kafka.Example'] },
      [],
    ],
    [
      'half a client certificate',
      { kafka: { tls: { enabled: true, certFile: 'c' } } },
      ['refuse kafka.tls.keyFile'],
    ],
    ['a registry by http', { registry: { url: 'http://r.example', password: 'p' } }, ['refuse registry.url']],
    ['a registry by https', { registry: { url: 'https://r.example', password: 'p' } }, []],
    ['a registry without a password', { registry: { url: 'http://r.example' } }, []],
    [
      'ClickHouse by http',
      { sinks: { clickhouse: { url: 'http://10.0.0.1', password: 'p' } } },
      ['refuse sinks.clickhouse.url'],
    ],
    ['ClickHouse on loopback', { sinks: { clickhouse: { url: 'http://[::1]:8123', password: 'p' } } }, []],
    [
      'ClickHouse on a trusted host',
      { sinks: { clickhouse: { url: 'http://ch:8123', password: 'p' } }, plaintextHosts: ['ch'] },
      [],
    ],
  ])('%s', (_, data, expected) => {
    expect(found(data)).toEqual(expected);
  });
});

describe('secrets that can be guessed', () => {
  const secretsOf = (...secrets: string[]) => found({ sources: { a: { esp: 'mailgun', secrets } } });

  test.each(['x', 'user:short', 'a'.repeat(15), `whsec_${Buffer.alloc(15).toString('base64')}`])(
    '%j',
    (secret) => {
      expect(secretsOf('b'.repeat(32), secret)).toEqual(['warn sources.a.secrets.1']);
    },
  );

  // As ESPs give them out: Mandrill's 22 characters are the shortest.
  test.each([
    'a1B2c3D4e5F6g7H8i9J0kL',
    'f'.repeat(32),
    `key-${'0'.repeat(32)}`,
    `whsec_${Buffer.alloc(24).toString('base64')}`,
    `user:${'p'.repeat(16)}`,
  ])('%j passes', (secret) => {
    expect(secretsOf(secret)).toEqual([]);
  });

  test.each(['', '  ', 'env:NOT_SET'])('%j is refused', (secret) => {
    expect(secretsOf(secret)).toEqual(['refuse sources.a.secrets.0']);
  });
});

test.each([
  [
    'more in sync than there are',
    { topics: { replicationFactor: 2, minInsyncReplicas: 3 } },
    ['refuse topics.minInsyncReplicas'],
  ],
  [
    'all in sync',
    { topics: { replicationFactor: 3, minInsyncReplicas: 3 } },
    ['warn topics.minInsyncReplicas'],
  ],
  ['two of three', { topics: { replicationFactor: 3, minInsyncReplicas: 2 } }, []],
  ['a session that brokers refuse', { kafka: { sessionTimeoutMs: 5_000 } }, ['warn kafka.sessionTimeoutMs']],
  [
    'a session as short as a connection',
    { kafka: { sessionTimeoutMs: 9_000, connectionTimeoutMs: 9_000 } },
    ['warn kafka.sessionTimeoutMs'],
  ],
  [
    'a request shorter than its connection',
    { kafka: { requestTimeoutMs: 2_000 } },
    ['warn kafka.requestTimeoutMs'],
  ],
  [
    'headers longer than the request',
    { ingress: { headersTimeoutMs: 40_000 } },
    ['warn ingress.headersTimeoutMs'],
  ],
  [
    'a quarantine that outlives the dedupe window',
    {
      topics: { retention: { seenDays: 3 } },
      sources: { shop: { esp: 'mailgun', secrets: ['x'.repeat(32)], quarantine: true } },
    },
    ['refuse topics.retention.quarantineHours'],
  ],
  [
    'pseudonyms without a key',
    { sinks: { clickhouse: { pseudonyms: { enabled: true } } } },
    ['refuse sinks.clickhouse.pseudonyms.enabled'],
  ],
  [
    'pseudonyms with a key',
    { sinks: { clickhouse: { pseudonyms: { enabled: true } } }, erasure: { keys: ['k'.repeat(40)] } },
    [],
  ],
  ['a spool that comes too late', { ingress: { publishTimeoutMs: 2_000 } }, ['refuse ingress.spool.afterMs']],
  ['no spool', { ingress: { publishTimeoutMs: 2_000, spool: { enabled: false } } }, []],
  ['one port twice in a service', { ingress: { port: 9080 } }, ['refuse ingress.adminPort']],
  ['on addresses of their own', { ingress: { port: 9080, host: '127.0.0.2' } }, []],
  ['one port of two services', { events: { adminPort: 9081 } }, ['warn events.adminPort']],
  ['the CRM sink too', { sinks: { crm: { adminPort: 9083 } } }, ['warn sinks.crm.adminPort']],
  ['any free port', { ingress: { adminPort: 0 }, normalize: { adminPort: 0 } }, []],
  [
    'a body larger than what may be under way',
    { ingress: { maxInFlightBytes: 1_000 }, sources: { a: { esp: 'ses', maxBodyBytes: 1_001 } } },
    ['refuse sources.a.maxBodyBytes'],
  ],
  [
    'a body larger than the spool',
    {
      ingress: { spool: { maxBytes: 16_777_216 } },
      sources: { a: { esp: 'ses', maxBodyBytes: 16_777_217 } },
    },
    ['refuse sources.a.maxBodyBytes'],
  ],
])('%s', (_, data, expected) => {
  expect(found(data)).toEqual(expected);
});

test('a warning keeps nobody from starting, and comes with the configuration', () => {
  const env = { EMAIL_EVENTS_EVENTS_ADMIN_PORT: '9081' };
  expect(pipelineConfig.examine(undefined, env)).toMatchObject({
    problems: [],
    warnings: [{ path: 'events.adminPort', variable: 'EMAIL_EVENTS_EVENTS_ADMIN_PORT' }],
  });
  // It is none of normalize's sections.
  expect(pipelineConfig.examine(undefined, env, { reads: ['kafka', 'normalize'] }).warnings).toEqual([]);
});
