import { expect, test } from 'vitest';
import { forgetAddresses } from './environment.ts';

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
