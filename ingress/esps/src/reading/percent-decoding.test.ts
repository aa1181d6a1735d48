import { hash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { percentDecoded, strictlyDecoded } from './percent-decoding.ts';

describe('percentDecoded', () => {
  it('means what URLSearchParams means', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('%', '4', 'a', 'F', 'g', '+', ' ', '=') }), (text) => {
        expect(percentDecoded(Buffer.from(text)).toString()).toBe(new URLSearchParams(`v=${text}`).get('v'));
      }),
    );
  });
});

const STRAY = /%(?![0-9a-f]{2})/i;

/** The body at an odd or even place of a larger one, as fields of a form are. */
function placed(bytes: Buffer, before: number): Buffer {
  return Buffer.concat([Buffer.alloc(before, '%'), bytes, Buffer.from('%4')]).subarray(
    before,
    before + bytes.length,
  );
}

describe('strictlyDecoded', () => {
  const piece = fc.constantFrom(
    '%41',
    '%c3%A9',
    '%25',
    '%2B',
    '+',
    'a',
    '4',
    '$',
    '&',
    ',',
    'é',
    'abcdefgh',
    '++++',
  );

  it('means what percentDecoded means', () => {
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), fc.nat(5), (pieces, before) => {
        const body = placed(Buffer.from(pieces.join('')), before);
        expect(strictlyDecoded(body)).toEqual(percentDecoded(body));
      }),
      { numRuns: 500 },
    );
  });

  it('whatever the bytes, unless an escape is none', () => {
    const any = fc.oneof(piece, fc.constantFrom('%', '%4', '%g0', '%0g', '%%41', '\u00ff', '\u0000'));
    let taken = 0;
    fc.assert(
      fc.property(fc.array(any, { maxLength: 12 }), fc.nat(5), (pieces, before) => {
        const body = placed(Buffer.from(pieces.join(''), 'latin1'), before);
        const decoded = strictlyDecoded(body);
        if (decoded) taken++;
        expect(decoded).toEqual(STRAY.test(body.toString('latin1')) ? null : percentDecoded(body));
      }),
      { numRuns: 1000 },
    );
    expect(taken).toBeGreaterThan(100);
  });

  it('knows every byte, alone and beside every other', () => {
    for (let byte = 0; byte < 256; byte++) {
      const escaped = `%${byte.toString(16).padStart(2, '0')}`;
      expect(strictlyDecoded(Buffer.from(`ab${escaped}cd${escaped}efghijkl`))).toEqual(
        Buffer.concat([
          Buffer.from('ab'),
          Buffer.of(byte),
          Buffer.from('cd'),
          Buffer.of(byte),
          Buffer.from('efghijkl'),
        ]),
      );
      const raw = Buffer.from([0x61, byte, 0x25, 0x34, 0x31, byte, byte, byte, byte, byte, 0x61, 0x61, 0x61]);
      expect(strictlyDecoded(raw)).toEqual(byte === 0x25 ? null : percentDecoded(raw));
    }
  });

  it.each([0, 1, 5, 100])('finds an escape that is none %i bytes before the end', (after) => {
    expect(strictlyDecoded(Buffer.from(`${'%5B'.repeat(50)}%5${'x'.repeat(after)}`))).toBeNull();
  });

  // Long ones are decoded a piece at a time.
  const PIECE = 16_384;
  it.each(['%41', '%e9%2B+', 'a%4', '+%'])('reads %s wherever a piece ends', (text) => {
    for (const pieces of [1, 2, 3])
      for (let before = PIECE * pieces - 8; before <= PIECE * pieces + 2; before++)
        for (const after of ['', 'b', '%42'.repeat(PIECE / 2), 'b'.repeat(PIECE - text.length)]) {
          const body = Buffer.from(`${'a'.repeat(before)}${text}${after}`);
          const decoded = STRAY.test(body.toString()) ? null : percentDecoded(body);
          // Buffers that differ would be printed whole.
          expect(digestOf(strictlyDecoded(body))).toBe(digestOf(decoded));
        }
  });

  it('means what percentDecoded means, however long', () => {
    const any = fc.array(piece, { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(any, any, fc.nat(1_048_576), (first, then, length) => {
        const unit = `${first.join('')}${then.join('').repeat(7)}`;
        const text = unit.repeat(Math.ceil(length / unit.length)).slice(0, length);
        const body = Buffer.from(text.replace(/%.?$/, ''));
        const decoded = strictlyDecoded(body);
        expect(decoded).not.toBeNull();
        expect(digestOf(decoded)).toBe(digestOf(percentDecoded(body)));
      }),
      { numRuns: 40 },
    );
  });
});

const digestOf = (bytes: Buffer | null) => bytes && `${bytes.length} ${hash('sha1', bytes)}`;
