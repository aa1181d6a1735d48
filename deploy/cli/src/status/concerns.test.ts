import { expect, test } from 'vitest';
import { parseMetrics } from '../admin-port.ts';
import { concernsOf } from './concerns.ts';

const NOW = Date.parse('2026-06-15T12:00:00Z');
const READY = { readiness: 'ok' } as const;
const inDays = (days: number) => NOW / 1_000 + days * 86_400;
const told = (metrics: string) =>
  concernsOf('ingress', parseMetrics(metrics), READY, NOW).map(({ text, urgent }) => [text, urgent]);
const certificate = (days: number) =>
  told(`email_events_certificate_expires_seconds{service="ingress",certificate="server"} ${inDays(days)}\n`);
const disk = (free: number, size = 1e10) =>
  told(
    `email_events_disk_free_bytes{disk="spool"} ${free}\nemail_events_disk_size_bytes{disk="state"} 1\nemail_events_disk_size_bytes{disk="spool"} ${size}\n`,
  );

test('a certificate is told two weeks before it ends, and in red when it has ended', () => {
  expect(certificate(14.5)).toEqual([]);
  expect(certificate(3.5)).toEqual([['its certificate expires in 3 days, on 2026-06-19', false]]);
  expect(certificate(0.4)).toEqual([['its certificate expires within a day, on 2026-06-15', false]]);
  expect(certificate(-2)).toEqual([
    ['its certificate expired on 2026-06-13: nobody who checks it connects', true],
  ]);
});

test('a disk is told when a twentieth of it is left', () => {
  expect(disk(6e8)).toEqual([]);
  expect(disk(123_456_789)).toEqual([['the disk of its spool has 123 MB, 1 % left', false]]);
  expect(disk(0)).toEqual([['the disk of its spool has 0 MB, 0 % left', true]]);
  expect(disk(0, 0)).toEqual([]);
});

test.each(['NaN', '+Inf', '1e300', '-1e300'])('what is no date is told as such: %s', (value) => {
  expect(told(`email_events_certificate_expires_seconds ${value}\n`)).toEqual([
    ['when its certificate ends cannot be read', false],
  ]);
});

test('what does not answer, or serves no TLS, has none', () => {
  expect(concernsOf('ingress', null, { readiness: 'no answer' }, NOW)).toEqual([]);
  expect(told('email_events_ingress_kafka_up 1\n')).toEqual([]);
});

test('of an instance whose metrics alone do not answer nobody knows', () => {
  expect(concernsOf('ingress', null, READY, NOW)).toEqual([
    {
      service: 'ingress',
      urgent: false,
      text: 'its metrics do not answer: nobody looked at its certificate and its disk',
    },
  ]);
});
