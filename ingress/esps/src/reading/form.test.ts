import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EspRequest } from '../adapter.ts';
import { firstField, lastField, lastFields, parseForm } from './form.ts';

const NAMES = ['token', 'timestamp', 'signature'];
const URLENCODED = 'application/x-www-form-urlencoded';
const form = (body: string | Buffer, contentType = URLENCODED): EspRequest => ({
  method: 'POST',
  url: '/',
  headers: { 'content-type': contentType },
  body: Buffer.from(body),
  receivedAt: 0,
});
const last = (request: EspRequest) => lastFields(request, NAMES, 4_096);

/** The reading that verification relies on is the one that normalize sees later. */
function agree(request: EspRequest): void {
  let fields: ReturnType<typeof parseForm>;
  try {
    fields = parseForm(request);
  } catch {
    expect(() => last(request)).toThrow();
    return;
  }
  expect(last(request)).toEqual(Object.fromEntries(NAMES.map((name) => [name, lastField(fields, name)])));
}

const bytes = (text: string) => Buffer.from(text, 'latin1');

describe('urlencoded', () => {
  it('finds the last of each name, in any spelling', () => {
    expect(last(form('token=a&x=token&tok%65n=b+%C3%A9&timestamp&signature=%'))).toEqual({
      token: 'b é',
      timestamp: '',
      signature: '%',
    });
  });

  it('agrees with what is read later, whatever the bytes', () => {
    const piece = fc.oneof(
      fc.constantFrom(
        '&',
        '=',
        '+',
        '%',
        '%74',
        '%7',
        '?',
        '\u00e9',
        '\u00ff',
        '%C3%A9',
        '%E9',
        '\u0000',
        ...NAMES,
      ),
      fc.string({ maxLength: 3 }),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => agree(form(bytes(pieces.join(''))))),
      { numRuns: 1000 },
    );
    for (const text of [
      '?token=a',
      '??token=a',
      '\u00ef\u00bb\u00bftoken=a',
      '&&token=a&',
      '=token',
      'token',
    ])
      agree(form(bytes(text)));
  });

  it('refuses more fields than anybody sends, and separators without any', () => {
    expect(last(form(`${'a=1&'.repeat(900)}token=t`)).token).toBe('t');
    expect(() => last(form(`${'a&'.repeat(2_000)}token=t`))).toThrow(/too many/);
    expect(() => last(form('&'.repeat(100_000)))).toThrow(/too many/);
    expect(() => last(form(Buffer.alloc(100_000, 0xe9)))).toThrow(/name/);
  });

  it('does not decode what is longer than such a field is', () => {
    expect(last(form(`token=${'a'.repeat(5_000)}`)).token).toBeUndefined();
  });
});

describe('multipart', () => {
  const TYPE = 'multipart/form-data; boundary=b';
  const part = (name: string, value: string) =>
    `--b\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;

  it('agrees with what is read later, whatever the bytes', () => {
    const piece = fc.oneof(
      fc.constantFrom(
        ...NAMES.map((name) => part(name, 'v')),
        '--b',
        '--b--',
        '\r\n',
        '\r',
        '\n',
        '-',
        '\u00e9',
      ),
      fc.constantFrom(
        '\r\n--b--',
        '\r\n--b\r\n',
        '--bb',
        part('token', '\r\n--c'),
        part('x"; filename="y', 'z'),
      ),
      fc.string({ maxLength: 3 }),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        agree(form(bytes(pieces.join('')), TYPE));
        agree(form(bytes(`${pieces.join('')}\r\n--b--`), TYPE));
      }),
      { numRuns: 1000 },
    );
  });

  it('reads parts to the byte, with and without a line before the first', () => {
    const body = `${part('token', 'a\r\n--c\r\n')}${part('token', '')}--b--\r\nafter`;
    for (const text of [body, `\r\n${body}`, `before\r\n${body}`]) {
      expect(parseForm(form(text, TYPE))).toEqual([
        ['token', 'a\r\n--c\r\n'],
        ['token', ''],
      ]);
    }
    expect(() => parseForm(form(part('token', 'a'), TYPE))).toThrow(/end/);
    expect(() => parseForm(form(`x${body}`, TYPE))).not.toThrow();
  });
});

describe('forms', () => {
  it('reads urlencoded fields with repetitions', () => {
    const fields = parseForm(form('a=1&b=%C3%A4+x&a=2', 'application/x-www-form-urlencoded; charset=utf-8'));
    expect([firstField(fields, 'a'), lastField(fields, 'a'), firstField(fields, 'b')]).toEqual([
      '1',
      '2',
      'ä x',
    ]);
  });

  it('reads multipart fields and leaves files out', () => {
    const body = [
      '--b',
      'Content-Disposition: form-data; name="a"',
      '',
      'one\r\ntwo',
      '--b',
      'content-disposition: form-data; name="f"; filename="x"',
      '',
      'file',
      '--b',
      'Content-Type: text/plain',
      'Content-Disposition: form-data; name=c',
      '',
      '',
      '--b--',
      '',
    ].join('\r\n');
    expect(parseForm(form(body, 'multipart/form-data; boundary="b"'))).toEqual([
      ['a', 'one\r\ntwo'],
      ['c', ''],
    ]);
  });

  it.each([
    ['multipart/form-data', '--b--'],
    ['multipart/form-data; boundary=b', 'nothing'],
    ['multipart/form-data; boundary=b', '--b\r\nContent-Disposition: form-data; name="a"\r\n\r\ncut'],
    ['multipart/form-data; boundary=b', '--b\r\nno headers\r\n--b--'],
    ['multipart/form-data; boundary=b', '--b\r\nX: y\r\n\r\nno name\r\n--b--'],
  ])('refuses %s: %s', (type, body) =>
    expect(() => parseForm(form(body, type))).toThrow(
      expect.objectContaining({ code: 'NORMALIZE_BODY_UNREADABLE' }),
    ),
  );
});
