import { describe, expect, test } from 'vitest';
import { type Refusal, RefusalLog } from './refusal-log.ts';
import { type LogLine, logInto } from './testing/harness.ts';

function started() {
  const lines: LogLine[] = [];
  let now = 0;
  const log = new RefusalLog(logInto(lines), () => now);
  const refuse = (more: Partial<Refusal> = {}) =>
    log.refused({
      level: 'warn',
      code: 'SIGNATURE_WRONG',
      source: 'shop',
      network: '192.0.2.1',
      bytes: 60,
      fields: { requestId: '01890000-0000-7000-8000-000000000000', status: 401 },
      ...more,
    });
  const pass = (ms: number) => {
    now += ms;
  };
  const written = () => lines.reduce((sum, line) => sum + JSON.stringify(line).length + 150, 0);
  return { lines, log, refuse, pass, written };
}

test('the first of a kind are told, the others counted once a minute', () => {
  const { lines, log, refuse, pass } = started();
  for (let i = 0; i < 100; i++) refuse({ bytes: 1_000 });
  refuse({ code: 'SIGNATURE_MISSING', bytes: 1_000 });
  expect(lines.map(({ code, count }) => [code, count])).toEqual([
    ['SIGNATURE_WRONG', undefined],
    ['SIGNATURE_WRONG', undefined],
    ['SIGNATURE_WRONG', undefined],
    ['SIGNATURE_MISSING', undefined],
  ]);
  log.flush();
  expect(lines.at(-1)).toMatchObject({ code: 'SIGNATURE_WRONG', source: 'shop', count: 97, bytes: 97_000 });
  log.flush();
  expect(lines).toHaveLength(5);
  pass(60_000);
  refuse();
  expect(lines).toHaveLength(6);
  log.close();
});

describe('a flood of the smallest requests writes less than it sends', () => {
  test.each([
    ['from one address', () => ({})],
    ['from an address each', (i: number) => ({ network: `2001:db8:${i >> 16}:${i & 0xffff}` })],
    ['to a source each', (i: number) => ({ source: `s${i % 1_000}`, network: String(i) })],
    [
      'of every kind',
      (i: number) => ({ code: i % 2 ? 'BODY_UNREADABLE' : 'SIGNATURE_WRONG', network: String(i) }),
    ],
  ] as const)('%s', (_, more) => {
    const { log, refuse, pass, written, lines } = started();
    const count = 50_000;
    for (let i = 0; i < count; i++) {
      refuse(more(i) as Partial<Refusal>);
      pass(1);
      if (i % 10_000 === 0) log.flush();
    }
    log.flush();
    expect(written()).toBeLessThan(count * 60);
    // All are told of, one way or the other, or waited for.
    expect(lines.length).toBeGreaterThan(2);
    log.close();
  });
});

test('what was not told for lack of bytes is counted until there are some', () => {
  const { lines, log, refuse, pass } = started();
  for (let i = 0; i < 1_000; i++) refuse({ network: String(i), bytes: 0 });
  const told = lines.length;
  expect(told).toBeLessThan(100);
  log.flush();
  expect(lines).toHaveLength(told);
  pass(60_000);
  log.flush();
  expect(lines.at(-1)).toMatchObject({ count: 1_000 - told });
  log.close();
});

test('one small request is seen, long after a flood', () => {
  const { lines, log, refuse, pass } = started();
  for (let i = 0; i < 10_000; i++) refuse({ network: String(i), bytes: 0 });
  const told = lines.length;
  pass(600_000);
  refuse({ network: 'operator', bytes: 30 });
  expect(lines).toHaveLength(told + 1);
  log.close();
});

test('what everybody can cause is left out when there is too much of it', () => {
  const { lines, log, written } = started();
  for (let i = 0; i < 10_000; i++) log.noted(80, { source: 'shop' }, 'tried the webhook');
  expect(written()).toBeLessThan(10_000 * 80);
  expect(lines[0]).toMatchObject({ level: 'info', source: 'shop' });
  log.close();
});
