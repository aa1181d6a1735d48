import { ConfigError } from '@email-events/core';
import { composeConfig } from '@email-events/core/config';
import { createSigner } from '@email-events/esps/accounts';
import { expect, test } from 'vitest';
import { checkIngressConfig } from './config-check.ts';
import { ingressService } from './descriptor.ts';

const { parse: parseConfig } = composeConfig([ingressService]);

const { secrets } = (await createSigner('sendgrid')).settings;
const sound = { sendgrid: { esp: 'sendgrid', secrets } };

function problemsOf(data: object): string[] {
  try {
    checkIngressConfig(parseConfig(data));
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map(({ path }) => path);
  }
}

test.each([
  ['nothing configured', {}],
  ['a sound source', { sources: sound }],
  ['unverified on loopback, spelled out', { sources: { local: { esp: 'sendgrid', verification: 'none' } } }],
  [
    'off loopback behind a proxy',
    { sources: sound, ingress: { host: '0.0.0.0', trustedProxies: ['10.0.0.0/8'] } },
  ],
  [
    'off loopback with TLS of its own',
    { sources: sound, ingress: { host: '0.0.0.0', tls: { certFile: 'c', keyFile: 'k' } } },
  ],
])('%s', (_, data) => {
  expect(problemsOf(data)).toEqual([]);
});

test('every problem at once', () => {
  const data = {
    ingress: { host: '0.0.0.0', trustedProxies: ['nowhere'] },
    sources: {
      unknown: { esp: 'carrier-pigeon' },
      silent: { esp: 'sendgrid', account: 'silent' },
      garbled: { esp: 'sendgrid', account: 'garbled', secrets: ['no key'] },
      open: { esp: 'sendgrid', account: 'open', verification: 'none' },
      both: { esp: 'sendgrid', account: 'both', verification: 'none', secrets },
      far: { esp: 'sendgrid', account: 'far', secrets, allow: ['everywhere'], maxBodyBytes: 5_000_000 },
    },
  };
  expect(problemsOf(data).sort()).toEqual(
    [
      'sources.unknown.esp',
      'sources.silent.secrets',
      'sources.garbled.secrets',
      'sources.both.verification',
      'sources.both.verification',
      'sources.open.verification',
      'sources.far.allow',
      'sources.far.maxBodyBytes',
      'ingress.trustedProxies',
    ].sort(),
  );
  expect(problemsOf({ ingress: { host: '0.0.0.0' } })).toEqual(['ingress.host']);
});

test('what is wrong with a source is told at once, of each setting', () => {
  const data = {
    sources: {
      silent: { esp: 'ses', options: { topics: [], urls: 'x' } },
      rotated: {
        esp: 'sendgrid',
        secrets: [...secrets, 'no key', 'none either'],
        options: { colour: 'red' },
      },
    },
  };
  expect(problemsOf(data)).toEqual([
    'sources.silent.options.topics',
    'sources.silent.options.urls',
    'sources.silent.options.topicArns',
    'sources.rotated.options.colour',
    'sources.rotated.secrets.1',
    'sources.rotated.secrets.2',
  ]);
});

test('no message shows a secret', () => {
  const data = { sources: { garbled: { esp: 'sendgrid', secrets: ['topsecret'] } } };
  expect(() => checkIngressConfig(parseConfig(data))).toThrow(
    expect.objectContaining({ message: expect.not.stringContaining('topsecret') }),
  );
});

const mandrill = { esp: 'mandrill', secrets: ['k'], options: { url: 'https://x.example/' } };
test.each([
  ['as much as the ESP sends', {}, {}, []],
  [
    'a topic that takes less than that',
    { topics: { maxRequestBytes: 1_048_576 } },
    {},
    ['topics.maxRequestBytes'],
  ],
  ['a topic that takes less than configured', {}, { maxBodyBytes: 5_000_000 }, ['topics.maxRequestBytes']],
  ['both raised', { topics: { maxRequestBytes: 5_000_000 } }, { maxBodyBytes: 5_000_000 }, []],
  ['less than that, on purpose', { topics: { maxRequestBytes: 1_048_576 } }, { maxBodyBytes: 1_000_000 }, []],
  ['no room in the house', { ingress: { maxInFlightBytes: 2_000_000 } }, {}, ['ingress.maxInFlightBytes']],
])('sizes: %s', (_, settings, source, limits) => {
  const data = { ...settings, sources: { shop: { ...mandrill, ...source } } };
  const found: string[] = [];
  try {
    checkIngressConfig(parseConfig(data));
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    for (const { path, message } of error.problems) {
      expect(path).toBe('sources.shop.maxBodyBytes');
      found.push(...limits.filter((limit) => message.includes(limit)));
    }
    expect(error.problems).toHaveLength(limits.length);
  }
  expect(found).toEqual(limits);
});

test.each([
  ['no limit', {}, {}, []],
  ['a limit of the source', {}, { requestsPerSecond: 10 }, ['sources.shop.requestsPerSecond']],
  ['a limit of all', { maxBytesPerSecond: 1_000_000 }, {}, ['ingress.maxBytesPerSecond']],
  [
    'both',
    { maxBytesPerSecond: 1_000_000 },
    { requestsPerSecond: 10 },
    ['sources.shop.requestsPerSecond', 'ingress.maxBytesPerSecond'],
  ],
])(
  'limits that an ESP which does not come again pays for with events: %s',
  (_, ingress, limits, expected) => {
    const shop = { esp: 'zeptomail', secrets: ['k'], ...limits };
    const warned = (source: object) =>
      checkIngressConfig(
        parseConfig({ ingress, sources: { shop: source, honest: { ...sound.sendgrid } } }),
      ).map(({ path }) => path);
    expect(warned(shop)).toEqual(expected);
    expect(warned({ ...mandrill, ...limits })).toEqual([]);
  },
);
