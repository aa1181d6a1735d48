import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { createProgressBar } from './tally.ts';

const CLEAR = `${String.fromCharCode(0x1b)}[`;

test('in a terminal the bar is gone in the end', () => {
  const stream = Object.assign(new PassThrough({ encoding: 'utf8' }), { isTTY: true, columns: 120 });
  const bar = createProgressBar(100, stream as never);
  bar.update({ requests: 1, acknowledged: 1, events: 1, distinct: 50, total: 100, eventsPerSecond: 1 });
  bar.stop();
  const written = String(stream.read());
  expect(written).toContain('sending');
  // No line end: what it wrote is one line, of which the last thing is that it is cleared.
  expect(written).not.toContain('\n');
  const shownAt = written.lastIndexOf('sending');
  expect(written.indexOf(`${CLEAR}2K`, shownAt)).toBeGreaterThan(shownAt);
});

test('elsewhere there is none', () => {
  const stream = Object.assign(new PassThrough({ encoding: 'utf8' }), { isTTY: false });
  const bar = createProgressBar(100, stream as never);
  bar.stop();
  expect(stream.read()).toBeNull();
});
