import { expect, test } from 'vitest';
import { linesOf } from './inspect.ts';

async function lines(...chunks: (string | Buffer)[]): Promise<string[]> {
  async function* input() {
    yield* chunks;
  }
  const found: string[] = [];
  for await (const line of linesOf(input())) found.push(line);
  return found;
}

test('joins lines that chunks have cut, also within a character', async () => {
  const bytes = Buffer.from('{"a":"ä"}\n{"b":1}\n');
  const cut = bytes.indexOf(0xc3) + 1;
  expect(await lines(bytes.subarray(0, cut), bytes.subarray(cut))).toEqual(['{"a":"ä"}', '{"b":1}']);
});

test('the last line needs no line feed; blank lines and carriage returns do not count', async () => {
  expect(await lines('a\r\n\n  \nb')).toEqual(['a', 'b']);
});

test('U+2028 does not end a line', async () => {
  expect(await lines('"a\u2028b"\n')).toEqual(['"a\u2028b"']);
});

test('nothing in, nothing out', async () => {
  expect(await lines()).toEqual([]);
});
