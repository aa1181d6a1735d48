import { expect, test } from 'vitest';
import { forgetAddresses, isOfTest, unique, uniqueDatabase } from './isolation.ts';

test('names of tests differ, and are told from those of others, also inside of longer ones', () => {
  expect(unique('topic')).not.toBe(unique('topic'));
  expect(uniqueDatabase('my-database')).toMatch(/^[a-z0-9_]+$/);
  for (const name of [unique('topic'), uniqueDatabase('database')]) {
    expect(isOfTest(name)).toBe(true);
    expect(isOfTest(`email-events.${name}-value`)).toBe(true);
  }
  for (const name of ['email.raw', 'email', 'latest1234567890', 'load-test', 'my_test_database', 'default']) {
    expect(isOfTest(name)).toBe(false);
  }
});

test('what says where components are is forgotten, and nothing else', () => {
  const kept = {
    PATH: '/bin',
    STACK: 'external',
    EMAIL_EVENTS_HOME: '/home',
    EMAIL_EVENTS_LOG_LEVEL: 'debug',
  };
  const env = {
    ...kept,
    EMAIL_EVENTS_KAFKA_BROKERS: 'elsewhere:9092',
    EMAIL_EVENTS_KAFKA_SASL_MECHANISM: 'plain',
    EMAIL_EVENTS_REGISTRY_URL: 'http://elsewhere',
    EMAIL_EVENTS_CLICKHOUSE_PASSWORD: 'x',
    EMAIL_EVENTS_SINKS_CLICKHOUSE_URL: 'http://elsewhere',
  };
  forgetAddresses(env);
  expect(env).toEqual(kept);
});
