import { expect, test } from 'vitest';
import { retryAfterMs } from './announced.ts';
import { errorOfStatus } from './errors.ts';

test.each([200, 201, 202, 204, 299])('%d is a success', (status) => {
  expect(errorOfStatus(status, undefined)).toBeUndefined();
});

test.each([
  [301, 'misconfigured', 'SINK_CRM_REDIRECTED', 'retry'],
  [304, 'misconfigured', 'SINK_CRM_REDIRECTED', 'retry'],
  [307, 'misconfigured', 'SINK_CRM_REDIRECTED', 'retry'],
  [308, 'misconfigured', 'SINK_CRM_REDIRECTED', 'retry'],
  [401, 'misconfigured', 'SINK_CRM_UNAUTHORIZED', 'retry'],
  [403, 'misconfigured', 'SINK_CRM_UNAUTHORIZED', 'retry'],
  [402, 'misconfigured', 'SINK_CRM_UNAUTHORIZED', 'retry'],
  [400, 'rejected', 'SINK_CRM_REJECTED', 'deadletter'],
  [404, 'rejected', 'SINK_CRM_REJECTED', 'deadletter'],
  [409, 'rejected', 'SINK_CRM_REJECTED', 'deadletter'],
  [422, 'rejected', 'SINK_CRM_REJECTED', 'deadletter'],
  [408, 'unavailable', 'SINK_CRM_UNAVAILABLE', 'retry'],
  [423, 'unavailable', 'SINK_CRM_UNAVAILABLE', 'retry'],
  [425, 'unavailable', 'SINK_CRM_UNAVAILABLE', 'retry'],
  [429, 'throttled', 'SINK_CRM_THROTTLED', 'retry'],
  [477, 'throttled', 'SINK_CRM_THROTTLED', 'retry'],
  [500, 'unavailable', 'SINK_CRM_UNAVAILABLE', 'retry'],
  [503, 'unavailable', 'SINK_CRM_UNAVAILABLE', 'retry'],
  [599, 'unavailable', 'SINK_CRM_UNAVAILABLE', 'retry'],
])('%d means %s', (status, failure, code, disposition) => {
  expect(errorOfStatus(status, undefined)).toMatchObject({ failure, code, disposition });
});

test('what the CRM asks to wait is kept where it may ask', () => {
  expect(errorOfStatus(429, 7)?.afterMs).toBe(7);
  expect(errorOfStatus(503, 7)?.afterMs).toBe(7);
  expect(errorOfStatus(408, 7)?.afterMs).toBe(7);
  expect(errorOfStatus(422, 7)?.afterMs).toBeUndefined();
});

const NOW = Date.parse('2026-03-04T05:06:07.000Z');

test.each([
  ['0', 0],
  ['3', 3_000],
  [' 120 ', 120_000],
  ['0.5', 500],
  ['Wed, 04 Mar 2026 05:06:17 GMT', 10_000],
  ['Wednesday, 04-Mar-26 05:06:17 GMT', 10_000],
  ['Wed Mar  4 05:06:17 2026 GMT', 10_000],
])('%j asks for %d ms', (header, ms) => {
  expect(retryAfterMs(header, NOW)).toBe(ms);
});

test('a date in the past asks for nothing', () => {
  expect(retryAfterMs('Wed, 04 Mar 2026 05:00:00 GMT', NOW)).toBe(0);
});

test('a pause is an hour at most', () => {
  expect(retryAfterMs('99999999', NOW)).toBe(3_600_000);
  expect(retryAfterMs('Fri, 04 Mar 2033 05:00:00 GMT', NOW)).toBe(3_600_000);
});

test.each([undefined, '', ' ', 'soon', '-5', 'NaN', '1e3x', '2026', '2026-03-04'])(
  '%j asks for nothing in particular, or is a plain number of seconds',
  (header) => {
    expect(retryAfterMs(header, NOW)).toBe(header === '2026' ? 2_026_000 : undefined);
  },
);
