import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { percentDecoded, strictlyDecoded } from './form.ts';

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
});
