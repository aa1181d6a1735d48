import { PassThrough } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';
import { expect, test } from 'vitest';
import { ProgressLine } from './output.ts';

function terminal(columns: number | undefined) {
  const stream = Object.assign(new PassThrough({ encoding: 'utf8' }), {
    isTTY: columns !== undefined,
    columns,
  });
  const line = new ProgressLine(stream as never);
  return { stream, line, written: () => String(stream.read() ?? '') };
}

/** Returns the text that stays on the line: the program returns to the first column and then clears the line. */
const left = (written: string) =>
  stripVTControlCharacters(written.split(`${String.fromCharCode(0x1b)}[2K`).at(-1) ?? '');

test('in a terminal the next one takes its place, and clearing leaves nothing', () => {
  const { line, written } = terminal(80);
  line.show('1,000 records read');
  line.show('2,000 records read');
  const shown = written();
  expect(shown).not.toContain('\n');
  expect(left(shown)).toBe('2,000 records read');
  line.clear();
  const cleared = written();
  expect([cleared, left(cleared)]).toEqual([expect.stringContaining('[2K'), '']);
  line.clear();
  expect(written()).toBe('');
});

test('it never wraps, and nothing in it is obeyed', () => {
  const { line, written } = terminal(12);
  line.show(`evil\u001b[2Jtext that is too long`);
  expect(left(written())).toBe('evil\\x1b[2J');
});

test('elsewhere each is a line, and nothing is taken back', () => {
  const { line, written } = terminal(undefined);
  line.show('1,000 records read');
  line.show('2,000 records read');
  line.clear();
  expect(stripVTControlCharacters(written())).toBe('1,000 records read\n2,000 records read\n');
});
