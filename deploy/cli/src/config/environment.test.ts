import type { JsonSchema } from '@email-events/core/config';
import { applyEnvironment, ConfigError, variableOf } from '@email-events/core/config';
import { expect, test } from 'vitest';
import { pipelineConfig } from '../services.ts';

test.each([
  [['kafka', 'clientId'], 'EMAIL_EVENTS_KAFKA_CLIENT_ID'],
  [['sinks', 'crm', 'dryRun'], 'EMAIL_EVENTS_SINKS_CRM_DRY_RUN'],
  [['topics', 'retention', 'rawDays'], 'EMAIL_EVENTS_TOPICS_RETENTION_RAW_DAYS'],
  [['sources', 'standard-webhooks', 'secrets'], 'EMAIL_EVENTS_SOURCES_STANDARD_WEBHOOKS_SECRETS'],
])('the variable of %j is %s', (path, name) => {
  expect(variableOf(path)).toBe(name);
});

test('every key has a name of its own', () => {
  const names = pathsOf(pipelineConfig.schema.json, []).map(variableOf);
  expect(names.length).toBeGreaterThan(70);
  expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
});

function pathsOf(schema: JsonSchema, path: string[]): string[][] {
  const children = { ...schema.properties };
  if (typeof schema.additionalProperties === 'object') children.name = schema.additionalProperties;
  return Object.entries(children).flatMap(([key, child]) => [
    [...path, key],
    ...pathsOf(child, [...path, key]),
  ]);
}

const parsed = (data: unknown, env: { [name: string]: string }) =>
  pipelineConfig.parse(
    data,
    Object.fromEntries(Object.entries(env).map(([name, value]) => [`EMAIL_EVENTS_${name}`, value])),
  );

test('values of every kind can be set, over the file and where the file has nothing', () => {
  const config = parsed(
    { kafka: { clientId: 'of-the-file', groupPrefix: 'kept' } },
    {
      KAFKA_CLIENT_ID: 'of-the-environment',
      KAFKA_BROKERS: 'a:1, b:2,',
      KAFKA_TLS_ENABLED: 'true',
      KAFKA_SASL: '{mechanism: plain, username: u, password: p}',
      TOPICS_RETENTION_SEEN_DAYS: '3',
      INGRESS_TRUSTED_PROXIES: '[10.0.0.0/8, "::1/128"]',
      SINKS_CRM_DRY_RUN: 'true',
      LOG_LEVEL: 'debug',
    },
  );
  expect(config.kafka).toMatchObject({
    clientId: 'of-the-environment',
    groupPrefix: 'kept',
    brokers: ['a:1', 'b:2'],
    tls: { enabled: true },
    sasl: { mechanism: 'plain', username: 'u' },
  });
  expect(config.kafka.sasl?.password.reveal()).toBe('p');
  expect(config.topics.retention.seenDays).toBe(3);
  expect(config.ingress.trustedProxies).toEqual(['10.0.0.0/8', '::1/128']);
  expect(config.sinks.crm?.dryRun).toBe(true);
  expect(config.log.level).toBe('debug');
});

test('a text that looks like something else stays a text', () => {
  expect(parsed({}, { KAFKA_CLIENT_ID: '007', KAFKA_GROUP_PREFIX: 'true' }).kafka).toMatchObject({
    clientId: '007',
    groupPrefix: 'true',
  });
});

test('one key of an absent section brings the section', () => {
  const env = { KAFKA_SASL_MECHANISM: 'plain', KAFKA_SASL_USERNAME: 'u', KAFKA_SASL_PASSWORD: 'p' };
  expect(parsed({}, env).kafka.sasl).toMatchObject({ mechanism: 'plain', username: 'u' });
  expect(() => parsed({}, { KAFKA_SASL_USERNAME: 'u' })).toThrow(ConfigError);
});

test('a source of the file can be overridden, and all sources be given', () => {
  const file = { sources: { 'standard-webhooks': { esp: 'standard-webhooks', secrets: ['old'] } } };
  const config = parsed(file, {
    SOURCES_STANDARD_WEBHOOKS_SECRETS: 'new,old',
    SOURCES_STANDARD_WEBHOOKS_MAX_BODY_BYTES: '99',
  });
  const source = config.sources['standard-webhooks'];
  expect(source?.secrets.map((secret) => secret.reveal())).toEqual(['new', 'old']);
  expect(source?.maxBodyBytes).toBe(99);
  expect(parsed({}, { SOURCES: '{a: {esp: ses}}' }).sources.a?.esp).toBe('ses');
});

test('references to secrets are resolved after the override', () => {
  const config = pipelineConfig.parse({}, { EMAIL_EVENTS_SINKS_CRM_SECRETS: 'env:A,env:B', A: '1', B: '2' });
  expect(config.sinks.crm?.secrets.map((secret) => secret.reveal())).toEqual(['1', '2']);
});

test.each(['abc', '', '[', '{', '1.5'])('%j is no port: the problem has the path of the key', (text) => {
  try {
    parsed({}, { INGRESS_PORT: text });
    expect.unreachable();
  } catch (error) {
    expect((error as ConfigError).problems.map(({ path }) => path)).toEqual(['ingress.port']);
  }
});

test('the data is left as it was', () => {
  const data = { kafka: { clientId: 'a' }, sources: { a: { esp: 'ses' } } };
  const before = structuredClone(data);
  applyEnvironment(
    data,
    { EMAIL_EVENTS_KAFKA_CLIENT_ID: 'b', EMAIL_EVENTS_SOURCES_A_ESP: 'c' },
    pipelineConfig.schema.json,
  );
  expect(data).toEqual(before);
});
