import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError, Secret } from '@email-events/core/config';
import { codeOf } from '@email-events/core/errors';
import { afterAll, expect, test } from 'vitest';
import { pipelineConfig } from '../services.ts';

const dir = mkdtempSync(join(tmpdir(), 'config-'));
afterAll(() => rmSync(dir, { recursive: true }));

function problemsOf(data: unknown, env = {}): { [path: string]: string } {
  try {
    pipelineConfig.parse(data, env);
    return {};
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return Object.fromEntries(error.problems.map(({ path, message }) => [path, message]));
  }
}

test('nothing at all gives the defaults', () => {
  for (const nothing of [undefined, null, {}]) {
    expect(pipelineConfig.parse(nothing)).toMatchObject({
      kafka: { brokers: ['127.0.0.1:9092'], tls: { enabled: false } },
      topics: { partitions: 6, retention: { seenDays: 7 } },
      sources: {},
      sinks: { clickhouse: { database: 'email' } },
    });
  }
});

test('an address must not hold what would be logged with it', () => {
  const url = 'https://user:secret@registry.example.com';
  const found = problemsOf({
    registry: { url },
    sinks: { clickhouse: { url: 'https://user@ch.example.com' } },
  });
  const message = expect.stringContaining('must not hold a user name or password');
  expect(found).toEqual({ 'registry.url': message, 'sinks.clickhouse.url': message });
  expect(JSON.stringify(found)).not.toContain('secret@');
});

test('without a CRM there is none', () => {
  expect(pipelineConfig.parse({}).sinks.crm).toBeUndefined();
  expect(pipelineConfig.parse({ sinks: { crm: {} } }).sinks.crm).toMatchObject({ kind: 'http', secrets: [] });
});

test('defaults are not shared between configurations', () => {
  (pipelineConfig.parse({}).kafka.brokers as string[]).push('elsewhere:1');
  expect(pipelineConfig.parse({}).kafka.brokers).toEqual(['127.0.0.1:9092']);
});

test('all problems are reported together, with their paths', () => {
  const data = {
    kafka: { brokers: [], clientID: 'x', tls: { enabled: 'yes' } },
    topics: { partitions: 0 },
    sources: {
      'Bad Name': { esp: 'postmark' },
      sendgrid: { esp: 'sendgrid', secrets: ['env:ABSENT', 'env:EMPTY'], allowed: [] },
      mailgun: { secrets: ['fine', 'file:/nowhere/at/all'] },
    },
    ingres: {},
    sinks: { crm: { kind: 'Hub Spot', url: 'no url', secrets: ['env:ABSENT'] } },
  };
  const problems = problemsOf(data, { EMPTY: '' });
  expect(Object.keys(problems).sort()).toEqual(
    [
      'ingres',
      'kafka.brokers',
      'kafka.clientID',
      'kafka.tls.enabled',
      'sinks.crm.kind',
      'sinks.crm.secrets.0',
      'sinks.crm.url',
      'sources.Bad Name',
      'sources.mailgun.esp',
      'sources.mailgun.secrets.1',
      'sources.sendgrid.allowed',
      'sources.sendgrid.secrets.0',
      'sources.sendgrid.secrets.1',
      'topics.partitions',
    ].sort(),
  );
  expect(problems['kafka.clientID']).toBe('unknown key');
  expect(problems.ingres).toBe('unknown key');
  expect(problems['sources.sendgrid.secrets.0']).toMatch(/ABSENT is not set/);
  expect(problems['sources.sendgrid.secrets.1']).toMatch(/EMPTY is empty/);
});

test.each([[[]], ['text'], [7]])('%j is no configuration', (data) => {
  expect(Object.keys(problemsOf(data))).toEqual(['(root)']);
});

test('secrets are resolved and wrapped, whatever holds them', () => {
  const config = pipelineConfig.parse(
    {
      kafka: { sasl: { mechanism: 'plain', username: 'u', password: 'env:KAFKA' } },
      registry: { username: 'u', password: 'literal' },
      sources: { a: { esp: 'mailgun', secrets: ['env:NEW', 'env:OLD'] } },
      sinks: { clickhouse: { password: 'env:CLICKHOUSE' }, crm: { secrets: ['env:CRM'] } },
    },
    { KAFKA: 'k', NEW: 'n', OLD: 'o', CLICKHOUSE: 'c', CRM: 'm' },
  );
  const { kafka, registry, sources, sinks } = config;
  const secrets = [
    kafka.sasl?.password,
    registry.password,
    ...(sources.a?.secrets ?? []),
    sinks.clickhouse.password,
    ...(sinks.crm?.secrets ?? []),
  ];
  expect(secrets.every((secret) => secret instanceof Secret)).toBe(true);
  expect(secrets.map((secret) => secret?.reveal())).toEqual(['k', 'literal', 'n', 'o', 'c', 'm']);
  expect(JSON.stringify(config)).not.toMatch(/literal|"[knocm]"/);
});

test('an optional secret that is not there stays away', () => {
  expect(pipelineConfig.parse({}).registry.password).toBeUndefined();
  expect(pipelineConfig.parse({}).kafka.sasl).toBeUndefined();
});

test('what an ESP is told besides is kept as it is', () => {
  const options = { topicArns: ['env:NOT_A_REFERENCE'], nested: { certificates: { url: 'pem' } } };
  expect(pipelineConfig.parse({ sources: { ses: { esp: 'ses', options } } }).sources.ses?.options).toEqual(
    options,
  );
});

test('no message holds a secret', () => {
  const data = {
    registry: { password: { literal: 'hunter2' } },
    sources: {
      a: { esp: 'x', secrets: ['hunter2', 'env:ABSENT', { hunter2: 'hunter2' }], allow: 'hunter2' },
    },
  };
  const text = JSON.stringify(problemsOf(data, { OTHER: 'hunter2' }));
  expect(text).toContain('ABSENT');
  expect(text).not.toContain('hunter2');
});

test('a file is read as YAML', () => {
  const file = join(dir, 'good.yaml');
  writeFileSync(file, 'kafka:\n  brokers: [a:1, b:2]\n');
  expect(pipelineConfig.load(file, {}).kafka.brokers).toEqual(['a:1', 'b:2']);
});

test.each([
  ['missing.yaml', undefined, /missing\.yaml: ENOENT/],
  ['open.yaml', 'log: {}\nsources: {a: {secrets: [hunter2\nlog: [', /at line \d+, column \d+/],
  ['twice.yaml', 'log: {} # hunter2\nlog: {}\n', /DUPLICATE_KEY at line 2/],
])('%s cannot be read: the message says where, and quotes nothing', (name, text, message) => {
  const file = join(dir, name);
  if (text !== undefined) writeFileSync(file, text);
  let thrown: unknown;
  try {
    pipelineConfig.load(file, {});
  } catch (error) {
    thrown = error;
  }
  expect(codeOf(thrown)).toBe('CONFIG_UNREADABLE');
  expect((thrown as Error).message).toMatch(message);
  expect(String((thrown as Error).stack) + String((thrown as Error).cause)).not.toContain('hunter2');
});
