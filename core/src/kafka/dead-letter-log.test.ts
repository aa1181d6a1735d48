import { pino } from 'pino';
import { expect, test } from 'vitest';
import { DeadLetterLog } from './dead-letter-log.ts';
import { deadLetterOf } from './records.ts';

interface Line {
  readonly [name: string]: unknown;
}

function started() {
  const lines: Line[] = [];
  let now = 0;
  const log = new DeadLetterLog(
    pino({ base: null, timestamp: false }, { write: (line: string) => lines.push(JSON.parse(line)) }),
    () => now,
  );
  const fail = (code = 'NORMALIZE_ITEM_UNREADABLE', source = 'shop', offset = 7) =>
    log.written(
      deadLetterOf(
        {
          ...{ topic: 'email.raw', partition: 3, offset, timestamp: 0, headers: {}, key: null },
          value: Buffer.from('a payload'),
        },
        {
          ...{ stage: 'normalize', code, message: 'no', firstAt: 0, source, esp: 'sendgrid' },
          item: { index: 2, bytes: Buffer.from('an item') },
        },
      ),
    );
  const pass = (ms: number) => {
    now += ms;
  };
  return { lines, log, fail, pass };
}

test('tells the first ones with their place, counts the others, begins again after a minute', () => {
  const { lines, log, fail, pass } = started();
  for (let i = 0; i < 50; i++) fail();
  fail('NORMALIZE_EVENT_INVALID');
  fail('NORMALIZE_ITEM_UNREADABLE', 'news');
  expect(lines).toHaveLength(7);
  expect(lines[0]).toEqual({
    ...{ level: 40, msg: 'a dead letter was written' },
    ...{ stage: 'normalize', code: 'NORMALIZE_ITEM_UNREADABLE', esp: 'sendgrid', source: 'shop' },
    letter: 'email.raw/3/7/2',
  });
  log.flush();
  expect(lines.at(-1)).toMatchObject({ code: 'NORMALIZE_ITEM_UNREADABLE', source: 'shop', count: 45 });
  log.flush();
  expect(lines).toHaveLength(8);
  pass(60_000);
  fail();
  expect(lines).toHaveLength(9);
});

test('sources without end take neither lines nor memory without end, and all are counted', () => {
  const { lines, log, fail, pass } = started();
  for (let i = 0; i < 20_000; i++) fail('SINK_RECORD_UNREADABLE', `s${i}`);
  expect(lines.length).toBeLessThanOrEqual(1_005);
  pass(60_000);
  log.flush();
  const told = lines.reduce((sum, { count }) => sum + (typeof count === 'number' ? count : 1), 0);
  expect(told).toBe(20_000);
  // The log forgets sources that are quiet: a new one has single lines again.
  fail('SINK_RECORD_UNREADABLE', 'late');
  expect(lines.at(-1)).toMatchObject({ source: 'late', letter: 'email.raw/3/7/2' });
});
