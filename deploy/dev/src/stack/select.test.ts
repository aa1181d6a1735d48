import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { readAddresses } from './external.ts';
import { createProvider, selectBreakable, selectProvider } from './select.ts';

test('STACK names the provider; local without it', () => {
  expect(selectProvider({})).toBe('local');
  expect(selectProvider({ STACK: '' })).toBe('local');
  expect(selectProvider({ STACK: 'external' })).toBe('external');
  expect(() => selectProvider({ STACK: 'cloud' })).toThrow(
    expect.objectContaining({ code: 'STACK_PROVIDER_UNKNOWN' }),
  );
});

test('what breaks components does so to its own, never to external ones', () => {
  expect(selectBreakable({})).toBe('local');
  expect(selectBreakable({ STACK: 'containers' })).toBe('containers');
  expect(selectBreakable({ STACK: 'external' })).toBe('local');
});

test('external addresses come from the variables of the services', () => {
  const addresses = readAddresses({
    EMAIL_EVENTS_KAFKA_BROKERS: 'one:9092, two:9092',
    EMAIL_EVENTS_REGISTRY_URL: 'http://registry',
    EMAIL_EVENTS_REGISTRY_USERNAME: 'reader',
    EMAIL_EVENTS_REGISTRY_PASSWORD: 'open',
    EMAIL_EVENTS_CLICKHOUSE_URL: 'http://clickhouse',
  });
  expect(addresses).toEqual({
    kafka: { brokers: ['one:9092', 'two:9092'] },
    registry: { url: 'http://registry', username: 'reader', password: 'open' },
    clickhouse: { url: 'http://clickhouse' },
  });
});

test('all missing addresses are named together', () => {
  expect(() => readAddresses({ EMAIL_EVENTS_KAFKA_BROKERS: ' ' })).toThrow(
    expect.objectContaining({
      code: 'STACK_ADDRESS_MISSING',
      message: expect.stringMatching(/KAFKA_BROKERS.*REGISTRY_URL.*CLICKHOUSE_URL/),
    }),
  );
});

test('an external stack that does not answer is refused', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  const start = createProvider('external', {
    EMAIL_EVENTS_KAFKA_BROKERS: `127.0.0.1:${port}`,
    EMAIL_EVENTS_REGISTRY_URL: `http://127.0.0.1:${port}`,
    EMAIL_EVENTS_CLICKHOUSE_URL: `http://127.0.0.1:${port}`,
  }).start({ dataDir: 'unused' });
  await expect(start).rejects.toMatchObject({ code: 'STACK_UNREACHABLE' });
});
