import { expect, test } from 'vitest';
import { hostOf, isLoopbackHost } from './checks.ts';

test.each([
  ['kafka:9092', 'kafka', false],
  ['[::1]:9092', '::1', true],
  ['::1', '::1', true],
  ['localhost', 'localhost', true],
  ['127.0.0.1.example:1', '127.0.0.1.example', false],
  ['127.9.9.9:1', '127.9.9.9', true],
])('%s is %s', (address, host, loopback) => {
  expect([hostOf(address), isLoopbackHost(hostOf(address))]).toEqual([host, loopback]);
});
