import { expect, test } from 'vitest';
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
  [400, 'rejected', 'SINK_CRM_REJECTED', 'deadletter'],
  [404, 'rejected', 'SINK_CRM_REJECTED', 'deadletter'],
  [409, 'rejected', 'SINK_CRM_REJECTED', 'deadletter'],
  [422, 'rejected', 'SINK_CRM_REJECTED', 'deadletter'],
  [408, 'unavailable', 'SINK_CRM_UNAVAILABLE', 'retry'],
  [429, 'throttled', 'SINK_CRM_THROTTLED', 'retry'],
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
