import { ConfigError } from '@email-events/core';
import { composeConfig } from '@email-events/core/config';
import { expect, test } from 'vitest';
import { http } from './adapters/http.ts';
import { crmSink } from './descriptor.ts';
import { checkCrmSettings, configuredCrms, crmSettings } from './settings.ts';

const { parse: parseConfig } = composeConfig([crmSink]);

const SECRET = `whsec_${Buffer.alloc(24, 7).toString('base64')}`;

function problemsOf(crm: { url?: string; secrets?: string[] }): string[] {
  try {
    checkCrmSettings(parseConfig({ sinks: { crm: { secrets: [SECRET], ...crm } } }));
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map(({ path }) => path);
  }
}

test.each([
  'http://127.0.0.1:8090/suppressions',
  'http://localhost/x',
  'http://[::1]:1/x',
  'http://127.8.9.1/x',
  'https://crm.example/x',
])('%s is a usable address', (url) => {
  expect(problemsOf({ url })).toEqual([]);
});

test.each([
  'http://crm.example/x',
  'http://127.0.0.1.example/x',
  'http://10.0.0.1/x',
  'http://[::ffff:10.0.0.1]/x',
  'ftp://127.0.0.1/x',
  'https://user:password@crm.example/x',
])('%s is refused', (url) => {
  expect(problemsOf({ url })).toEqual(['sinks.crm.url']);
});

test('an address that is left out is the default of the kind', () => {
  expect(problemsOf({})).toEqual([]);
  expect(http.settings.shape.url.parse(undefined)).toBe('http://127.0.0.1:8090/suppressions');
});

test('a pipeline without a CRM is fine, and nothing for this service', () => {
  const without = parseConfig({});
  expect(() => checkCrmSettings(without)).not.toThrow();
  expect(() => crmSettings(without)).toThrow(ConfigError);
});

const bytes = (count: number) => Buffer.alloc(count, 9).toString('base64');

test.each([
  bytes(24),
  `whsec_${bytes(23)}`,
  `whsec_${bytes(65)}`,
  `whsec_${bytes(32).replace('=', '')}`,
  'whsec_',
  `whsec_${bytes(24)}\n`,
  `whsec_${'*'.repeat(32)}`,
  'hunter2',
])('%j is no signing secret, wherever it stands in the list', (secret) => {
  expect(problemsOf({ secrets: [SECRET, secret] })).toEqual(['sinks.crm.secrets.1']);
});

test.each([24, 32, 64])('a secret of %d bytes is usable', (count) => {
  expect(problemsOf({ secrets: [`whsec_${bytes(count)}`] })).toEqual([]);
});

test('all problems are reported at once, and no secret with them', () => {
  const check = () =>
    checkCrmSettings(
      parseConfig({ sinks: { crm: { url: 'http://u:p@crm.example/', secrets: ['hunter2', 'hunter3'] } } }),
    );
  expect(check).toThrow(ConfigError);
  expect(check).not.toThrow(/hunter/);
  expect(problemsOf({ url: 'http://u:p@crm.example/', secrets: ['hunter2', 'hunter3'] })).toEqual([
    'sinks.crm.url',
    'sinks.crm.url',
    'sinks.crm.secrets.0',
    'sinks.crm.secrets.1',
  ]);
});

const several = (others: object) => parseConfig({ sinks: { crm: { secrets: [SECRET], others } } });

test('further CRMs have names, groups and settings of their own; the section itself keeps its', () => {
  const crms = configuredCrms(several({ news: { kind: 'http', secrets: [SECRET], timeoutMs: 7 } }));
  expect(
    crms.map(({ name, consumer, path, settings }) => [name, consumer, path, settings.timeoutMs]),
  ).toEqual([
    [undefined, 'sink-crm', 'sinks.crm', 10_000],
    ['news', 'sink-crm-news', 'sinks.crm.others.news', 7],
  ]);
  expect(Object.keys(crms[0]?.settings ?? {})).not.toContain('others');
});

test('problems of all of them are reported at once, each where it is, and no secret with them', () => {
  const config = several({
    news: { kind: 'no-such' },
    shop: { secrets: ['hunter2'] },
    http: { secrets: [SECRET] },
  });
  try {
    checkCrmSettings(config);
    expect.unreachable();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    expect(error.problems.map(({ path }) => path)).toEqual([
      'sinks.crm.others.news.kind',
      'sinks.crm.others.shop.secrets.0',
      'sinks.crm.others.http',
    ]);
    expect(JSON.stringify(error.problems)).not.toContain('hunter2');
  }
});

test.each([{ News: {} }, { 'a.b': {} }, { news: { adminPort: 1 } }, { news: { others: {} } }])(
  '%j is no list of further CRMs',
  (others) => {
    expect(() => several(others)).toThrow(ConfigError);
  },
);

test('two CRMs of one account have one limit', () => {
  const of = (callsPerSecond: number | undefined, key = 'one') => ({
    kind: 'brevo',
    secrets: [key],
    callsPerSecond,
  });
  const check = (others: object) => () => checkCrmSettings(several(others));
  expect(check({ a: of(5), b: of(5), c: of(8, 'two') })).not.toThrow();
  expect(check({ a: of(5), b: of(undefined) })).toThrow(
    'sinks.crm.others.b.callsPerSecond: must be that of sinks.crm.others.a: both call the same account, and share its limit',
  );
});
