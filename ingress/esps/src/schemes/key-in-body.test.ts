import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { judgeKeyInBody } from './key-in-body.ts';

const KEYS = [Buffer.from('other'), Buffer.from('key')];
const code = (body: string) => {
  const verdict = judgeKeyInBody(Buffer.from(body), 'auth', KEYS);
  return verdict.outcome === 'refused' ? verdict.code : verdict.outcome;
};
const md5 = (text: string) => createHash('md5').update(text).digest('hex');
/** The digest in the place of `@`. */
const signed = (json: string) => json.replace('@', md5(json.replace('@', 'key')));
const events = (bytes: number, more = '') => `[${'{"n":[],"s":"\\""},'.repeat(bytes / 18)}"${more}"]`;
const LONG = events(200_000);

describe('a long body', () => {
  it('has its digest before what makes it long', () => {
    expect(code(signed(`{"auth":"@","events":${LONG}}`))).toBe('verified');
    expect(code(signed(` {"x":{"auth":1}, "a\\u0075th" : "@" ,"events":${LONG}}`))).toBe('verified');
    expect(code(signed(`{"auth":"@","events":${LONG}}`).replace('[]', '[1]'))).toBe('SIGNATURE_WRONG');
  });

  it('or behind all of that', () => {
    const inside = '{"auth":"00000000000000000000000000000000"}';
    expect(code(signed(`{"events":${LONG},"auth":"@"}`))).toBe('verified');
    expect(code(signed(`{"events":[${LONG},${inside}],"auth" :\n"@","x":1}`))).toBe('verified');
    expect(code(`{"events":${LONG},"auth":"${'0'.repeat(32)}"}`)).toBe('SIGNATURE_WRONG');
  });

  it('is verified only where JSON has the digest in that place, once, at the top', () => {
    expect(code(signed(`{"events":[${LONG},{"auth":"@"}]}`))).toBe('BODY_UNREADABLE');
    expect(code(signed(`{"events":${LONG},"x":"\\"auth\\":","auth":"@","auth":1}`))).toBe('BODY_UNREADABLE');
    expect(code(signed(`{"auth":"@","events":${LONG},"auth":"@"}`))).toBe('BODY_UNREADABLE');
    expect(code(signed(`{"auth":"@","events":${LONG},"\\u0061uth":1}`))).toBe('BODY_UNREADABLE');
    expect(code(signed(`{"auth":"@","events":${LONG}`))).toBe('BODY_UNREADABLE');
    expect(code(signed(`{"auth":"@","events":${LONG}}x`))).toBe('BODY_UNREADABLE');
  });

  it('has no digest elsewhere', () => {
    expect(code(signed(`{"events":${LONG},"auth":"@","more":${LONG}}`))).toBe('SIGNATURE_MISSING');
    expect(code(`{"events":${LONG}}`)).toBe('SIGNATURE_MISSING');
    expect(code(`{"auth":null,"events":${LONG}}`)).toBe('SIGNATURE_MISSING');
    expect(code(`{"auth":"x","events":${LONG}}`)).toBe('SIGNATURE_MALFORMED');
  });
});

it('a body as long as the beginning of one is looked through as a whole', () => {
  const half = events(30_000);
  expect(code(signed(`{"events":${half},"auth":"@","more":${half}}`))).toBe('verified');
});
