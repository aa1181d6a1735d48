import { describe, expect, it } from 'vitest';
import { judgeMailgun } from './mailgun-signature.ts';
import { hmac } from './signatures.ts';

const AT = 1_793_610_930;
const WINDOW = { past: 3600, future: 300 };
const block = (key: string, token = 't') => {
  const timestamp = String(AT);
  return JSON.stringify({
    timestamp,
    token,
    signature: hmac('sha256', key, [timestamp, token]).toString('hex'),
  });
};
const GOOD = block('key');
const BAD = block('other');

const judged = (body: string | Buffer, contentType = 'application/json') => {
  const request = {
    method: 'POST',
    url: '/',
    headers: { 'content-type': contentType },
    body: Buffer.from(body),
    receivedAt: AT * 1000,
  };
  const verdict = judgeMailgun(request, ['key'], WINDOW);
  return verdict.outcome === 'refused' ? verdict.code : verdict.outcome;
};

describe('a signature in a body that nobody has verified', () => {
  it('is the one at the top, however its name is written', () => {
    expect(judged(`{"event-data":{"signature":${BAD}},"signature":${GOOD}}`)).toBe('verified');
    expect(judged(`{"sig\\u006eature":${GOOD}}`)).toBe('verified');
    expect(judged(`{"event-data":{"signature":${GOOD}}}`)).toBe('SIGNATURE_MISSING');
    expect(judged(`{"event-data":"\\",\\"signature\\":${GOOD.replaceAll('"', '\\"')}"}`)).toBe(
      'SIGNATURE_MISSING',
    );
    expect(judged(`[{"signature":${GOOD}}]`)).toBe('BODY_UNREADABLE');
  });

  it('is not there twice: which one counts would be up to the reader', () => {
    expect(judged(`{"signature":${GOOD},"signature":${BAD}}`)).toBe('BODY_UNREADABLE');
    expect(judged(`{"signature":${BAD},"sig\\u006eature":${GOOD}}`)).toBe('BODY_UNREADABLE');
    expect(judged(`{"signature":${GOOD},"parent-signature":${BAD}}`)).toBe('verified');
  });

  it('is an object of a bounded length', () => {
    expect(judged(`{"signature":${JSON.stringify(GOOD)}}`)).toBe('SIGNATURE_MISSING');
    expect(judged('{"signature":{"timestamp":"1","token":"t"}}')).toBe('SIGNATURE_MALFORMED');
    const padded = GOOD.replace('{', `{"x":"${'x'.repeat(5_000)}",`);
    expect(judged(`{"signature":${padded}}`)).toBe('SIGNATURE_MALFORMED');
  });

  it.each(['', '{', `{"signature":${GOOD}`, `{"signature":${GOOD}}x`, `{"signature":${GOOD},}`])(
    'is not looked for in what is no JSON: %s',
    (body) => expect(judged(body)).toBe('BODY_UNREADABLE'),
  );

  it('is found behind as much nesting as an event can have, and not looked for behind more', () => {
    const behind = (depth: number, block: string) =>
      judged(`{"x":${'['.repeat(depth)}${']'.repeat(depth)},"signature":${block}}`);
    expect(behind(500, GOOD)).toBe('verified');
    expect(behind(500, BAD)).toBe('SIGNATURE_WRONG');
    expect(behind(400_000, GOOD)).toBe('BODY_UNREADABLE');
  });

  it('says when it claims to be signed', () => {
    const request = {
      method: 'POST',
      url: '/',
      headers: {},
      body: Buffer.from(`{"signature":${BAD}}`),
      receivedAt: 0,
    };
    expect(judgeMailgun(request, ['key'], WINDOW)).toMatchObject({ signedAt: AT * 1000 });
  });
});

describe('a form', () => {
  const fields = (json: string) => new URLSearchParams(JSON.parse(json) as Record<string, string>).toString();

  it('has Mailgun’s fields last, whatever custom variables are called', () => {
    const type = 'application/x-www-form-urlencoded';
    expect(judged(`${fields(BAD)}&x=1&${fields(GOOD)}`, type)).toBe('verified');
    expect(judged(`${fields(GOOD)}&${fields(BAD)}`, type)).toBe('SIGNATURE_WRONG');
    expect(judged('a=1', type)).toBe('SIGNATURE_MISSING');
    expect(judged('&'.repeat(100_000), type)).toBe('BODY_UNREADABLE');
  });
});
