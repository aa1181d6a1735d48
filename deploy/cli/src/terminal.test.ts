import { describe, expect, test } from 'vitest';
import { forTerminal, jsonText, visible } from './terminal.ts';

const BIDI = '\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069';

describe('visible', () => {
  test.each([
    ['a clear of the screen', 'a\u001b[2Jb', 'a\\x1b[2Jb'],
    ['a link and a title (OSC)', '\u001b]0;x\u0007', '\\x1b]0;x\\x07'],
    ['a colour', '\u001b[31mred', '\\x1b[31mred'],
    ['C1, which some terminals take for ESC [', '\u009b2J\u0085', '\\x9b2J\\x85'],
    ['NUL, DEL and a bell', '\u0000\u007f\u0007', '\\x00\\x7f\\x07'],
    ['a return, a line end, a tab', 'a\r\n\tb', 'a\\r\\n\\tb'],
    ['half a pair', 'a\ud83db\ude00', 'a\\ud83db\\ude00'],
    ['separators', 'a\u2028b\u2029', 'a\\u2028b\\u2029'],
  ])('escapes %s', (_, text, shown) => {
    expect(visible(text)).toBe(shown);
  });

  test('escapes every bidirectional control', () => {
    expect(visible(BIDI)).toBe('\\u202a\\u202b\\u202c\\u202d\\u202e\\u2066\\u2067\\u2068\\u2069');
  });

  test('leaves what people write', () => {
    const text = 'Grüße, Ωμέγα, שלום, 你好, 👩‍👩‍👧, \\n stays';
    expect(visible(text)).toBe(text);
  });

  test('keeps lines and tabs where they are layout, and nothing else', () => {
    expect(visible('a\n\tb\r\u001b', 'lines')).toBe('a\n\tb\\r\\x1b');
  });
});

describe('forTerminal', () => {
  test('lets the colours that we use pass, and no other sequence', () => {
    const ours = '\u001b[1mbold\u001b[22m \u001b[2mdim\u001b[22m \u001b[31mred\u001b[39m\n';
    expect(forTerminal(ours)).toBe(ours);
    for (const theirs of ['\u001b[8mhidden', '\u001b[30mblack', '\u001b[2J', '\u001b]8;;x', '\u001b[1;8m'])
      expect(forTerminal(theirs)).not.toContain('\u001b');
  });
});

describe('jsonText', () => {
  test('means the same, and holds nothing that a terminal obeys', () => {
    const value = { 'k\u009b': `\u0000\u001b\u007f\u009b${BIDI}\u2028\n`, offset: 7n, far: 2n ** 60n };
    const text = jsonText(value, 2);
    expect(text.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\u2028\u202a-\u202e\u2066-\u2069]/u);
    expect(JSON.parse(text)).toEqual({ ...value, offset: 7, far: String(2n ** 60n) });
  });

  test('half a pair stays an escape', () => {
    expect(jsonText('\ud83d')).toBe('"\\ud83d"');
  });
});
