import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { closingQuote, nestedEnd } from './json-steps.ts';

/** The same, byte by byte: where the depth is nothing again, brackets in strings and quotes behind backslashes apart. */
function plainly(body: Buffer, from: number, inString: boolean, maxDepth: number): number {
  let quoted = inString;
  let depth = inString ? 0 : 1;
  for (let at = from; at < body.length; at++) {
    const letter = String.fromCharCode(body[at] ?? 0);
    if (quoted) {
      if (letter === '\\') at++;
      else if (letter === '"') quoted = false;
      if (!quoted && inString) return at;
    } else if (letter === '"') quoted = true;
    else if ('[{'.includes(letter)) depth++;
    else if (']}'.includes(letter)) depth--;
    if (depth === 0 && !inString) return at + 1;
    if (depth > maxDepth) return -1;
  }
  return -1;
}

// Little of what is no part of the structure, so that everything stands at every place of a step.
const text = fc.string({
  unit: fc.constantFrom('"', '"', '\\', '[', ']', '{', '}', ']', 'a', 'é'),
  maxLength: 60,
});
/** At an odd or an even place of memory. */
const placed = (json: string, before: number) => Buffer.from('x'.repeat(before) + json).subarray(before);

describe('where a value ends', () => {
  it.each([1, 2, 5, 512])('four bytes at a time as byte by byte, up to a depth of %i', (maxDepth) => {
    let ended = 0;
    fc.assert(
      fc.property(text, fc.nat(5), fc.nat(5), (json, before, from) => {
        const body = placed(json, before);
        const end = nestedEnd(body, from, maxDepth);
        if (end > 0) ended++;
        expect(end).toBe(plainly(body, from, false, maxDepth));
      }),
      { numRuns: 2_000 },
    );
    expect(ended).toBeGreaterThan(300);
  });

  it('of a string too', () => {
    fc.assert(
      fc.property(text, fc.nat(5), fc.nat(5), (json, before, from) => {
        const body = placed(json, before);
        expect(closingQuote(body, from)).toBe(plainly(body, from, true, 1));
      }),
      { numRuns: 2_000 },
    );
  });

  it('is nowhere in a body that is cut off, however long', () => {
    const nested = Buffer.from(`${'[1,"]"],'.repeat(1_000)}]`);
    for (let length = 0; length < 40; length++) expect(nestedEnd(nested.subarray(0, length), 0, 9)).toBe(-1);
    expect(nestedEnd(nested, 0, 9)).toBe(nested.length);
  });
});
