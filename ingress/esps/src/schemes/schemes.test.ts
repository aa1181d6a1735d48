import { createSigner } from '@email-events/esps/accounts';
import { mailgun } from '@email-events/esps/accounts/mailgun';
import { describe, expect, it } from 'vitest';
import type { EspRequest, Verifier } from '../adapter.ts';
import { findAdapter } from '../registry.ts';
import { credentialVerifier } from './credentials.ts';
import { secondsOption } from './settings.ts';
import { hmac } from './signatures.ts';

const request = (more: Partial<EspRequest> = {}): EspRequest => ({
  method: 'POST',
  url: '/',
  headers: {},
  body: Buffer.alloc(0),
  receivedAt: 1_793_610_930_000,
  ...more,
});
const codeOf = (verifier: Verifier, more: Partial<EspRequest>) => {
  const verdict = verifier.verify(request(more));
  return verdict.outcome === 'refused' ? verdict.code : verdict.outcome;
};
const adapterOf = (name: string) => {
  const adapter = findAdapter(name);
  if (!adapter) throw new Error(name);
  return adapter;
};

describe('credentials', () => {
  const facts = {
    secret: 'user:password',
    options: [
      { name: 'header', required: false, description: '' },
      { name: 'tokenParameter', required: false, description: '' },
    ],
  };
  const basic = (text: string) => ({
    headers: { authorization: `Basic ${Buffer.from(text).toString('base64')}` },
  });

  it('checks Basic authentication against every secret', () => {
    const verifier = credentialVerifier('x', facts, {
      secrets: ['new:pässwörd', 'old:pass:word'],
      options: {},
    });
    expect(codeOf(verifier, basic('new:pässwörd'))).toBe('verified');
    expect(codeOf(verifier, basic('old:pass:word'))).toBe('verified');
    expect(codeOf(verifier, basic('old:pass'))).toBe('CREDENTIALS_WRONG');
    expect(codeOf(verifier, {})).toBe('CREDENTIALS_MISSING');
    expect(codeOf(verifier, { headers: { authorization: 'Bearer x' } })).toBe('CREDENTIALS_WRONG');
    expect(codeOf(verifier, { headers: { authorization: 'Basic !!!' } })).toBe('CREDENTIALS_WRONG');
    expect(codeOf(verifier, { headers: { authorization: 'basic bmV3OnDDpHNzd8O2cmQ=' } })).toBe('verified');
  });

  it('checks a token in the query, once, and says that it is secret', () => {
    const verifier = credentialVerifier('x', facts, {
      secrets: ['t0k&n'],
      options: { tokenParameter: 'key' },
    });
    expect(codeOf(verifier, { url: '/a?b=1&key=t0k%26n' })).toBe('verified');
    expect(codeOf(verifier, { url: '/a?key=other' })).toBe('CREDENTIALS_WRONG');
    expect(codeOf(verifier, { url: '/a?key=t0k%26n&key=t0k%26n' })).toBe('CREDENTIALS_MISSING');
    expect(codeOf(verifier, { url: '/a?key=' })).toBe('CREDENTIALS_MISSING');
    expect(codeOf(verifier, { url: '/a' })).toBe('CREDENTIALS_MISSING');
    expect(verifier.secretParameters).toEqual(['key']);
    expect(
      codeOf(credentialVerifier('x', facts, { secrets: ['s'], options: {} }, 'token'), { url: '/?token=s' }),
    ).toBe('verified');
  });

  it('checks a header of its own', () => {
    const verifier = credentialVerifier('x', facts, { secrets: ['s3cret'], options: { header: 'X-Hook' } });
    expect(codeOf(verifier, { headers: { 'x-hook': 's3cret' } })).toBe('verified');
    expect(codeOf(verifier, { headers: { 'x-hook': 's3cre' } })).toBe('CREDENTIALS_WRONG');
    expect(codeOf(verifier, {})).toBe('CREDENTIALS_MISSING');
  });

  it.each(['t0ken', 'Bearer t0ken'])('takes the bearer token %s with and without its scheme', (secret) => {
    const verifier = credentialVerifier('x', facts, {
      secrets: [secret],
      options: { header: 'Authorization' },
    });
    expect(codeOf(verifier, { headers: { authorization: 'Bearer t0ken' } })).toBe('verified');
    expect(codeOf(verifier, { headers: { authorization: 'bearer t0ken' } })).toBe('verified');
    expect(codeOf(verifier, { headers: { authorization: 'Bearer token' } })).toBe('CREDENTIALS_WRONG');
    expect(codeOf(verifier, { headers: { authorization: 'Bearer ' } })).toBe('CREDENTIALS_WRONG');
    expect(codeOf(verifier, {})).toBe('CREDENTIALS_MISSING');
  });

  it.each(['user', 'user:', ':password'])('does not start with %s', (secret) => {
    expect(() => credentialVerifier('x', facts, { secrets: [secret], options: {} })).toThrow('user:password');
  });

  it('does not start with two ways at once', () => {
    const options = { header: 'a', tokenParameter: 'b' };
    expect(() => credentialVerifier('x', facts, { secrets: ['s'], options })).toThrow(/choose one/);
  });
});

describe('options', () => {
  it.each([0, -1, 'soon', '', Number.NaN, {}])('refuses %s seconds', (value) => {
    expect(() => secondsOption({ secrets: [], options: { s: value } }, 's')).toThrow(/seconds/);
  });
});

describe('Mailgun', () => {
  it('accepts the signature of the parent account, and answers for its token', () => {
    const parent = mailgun.signer('parent');
    const timestamp = '1793610930';
    const sign = (key: string, token: string) => ({
      timestamp,
      token,
      signature: hmac('sha256', key, [timestamp, token]).toString('hex'),
    });
    const body = Buffer.from(
      JSON.stringify({
        signature: sign('child', 'c'),
        'parent-signature': sign('parent', 'p'),
        'event-data': {},
      }),
    );
    const verifier = adapterOf('mailgun').verifier(parent.settings);
    expect(verifier.verify(request({ body }))).toEqual({ outcome: 'verified', replayToken: 'p' });
    const neither = adapterOf('mailgun').verifier({ secrets: ['other'], options: {} });
    expect(codeOf(neither, { body })).toBe('SIGNATURE_WRONG');
  });

  it.each([
    ['{', 'BODY_UNREADABLE'],
    ['{}', 'SIGNATURE_MISSING'],
    ['{"signature":{}}', 'SIGNATURE_MALFORMED'],
    ['{"signature":{"timestamp":"1793610930","token":"t","signature":"xyz"}}', 'SIGNATURE_MALFORMED'],
    ['{"signature":{"timestamp":"now","token":"t","signature":"00"}}', 'TIMESTAMP_MALFORMED'],
    ['{"signature":{"timestamp":1793610930,"token":"t","signature":"00"}}', 'SIGNATURE_WRONG'],
  ])('%s → %s', (text, code) => {
    const verifier = adapterOf('mailgun').verifier({ secrets: ['k'], options: {} });
    expect(codeOf(verifier, { body: Buffer.from(text) })).toBe(code);
  });
});

describe('SES', () => {
  it('asks for the certificate, once the topic is known to be ours', async () => {
    const signer = await createSigner('ses');
    const verifier = adapterOf('ses').verifier(signer.settings);
    const [[url, pem] = ['', '']] = [...signer.resources];
    const genuine = signer.sign({ body: '{}', at: 1_793_610_930_000 });
    expect(verifier.verify(genuine)).toEqual({ outcome: 'needs', url });
    expect(verifier.verify(genuine, new Map([[url, pem]]))).toEqual({ outcome: 'verified' });
    expect(verifier.verify(genuine, new Map([[url, 'no certificate']]))).toMatchObject({
      code: 'CERTIFICATE_UNUSABLE',
    });
    const configured = { ...signer.settings.options, certificates: JSON.stringify({ [url]: pem }) };
    expect(adapterOf('ses').verifier({ secrets: [], options: configured }).verify(genuine)).toEqual({
      outcome: 'verified',
    });
    const foreign = signer.sign({ body: '{}', at: 1, sns: { topicArn: 'arn:aws:sns:eu-west-1:9:other' } });
    expect(verifier.verify(foreign)).toMatchObject({ code: 'TOPIC_NOT_ALLOWED' });
  });

  it.each([
    'http://sns.eu-west-1.amazonaws.com/a.pem',
    'https://sns.eu-west-1.amazonaws.com/a.txt',
    'https://sns.eu-west-1.amazonaws.com:8443/a.pem',
    'https://user@sns.eu-west-1.amazonaws.com/a.pem',
    'https://sns.eu-west-1.amazonaws.com.evil.example/a.pem',
    'https://evil.example/sns.eu-west-1.amazonaws.com/a.pem',
    'https://sns.x.y.amazonaws.com/a.pem',
    'https://bucket.s3.amazonaws.com/a.pem',
    'https://sns.eusc-de-east-1.amazonaws.eu.evil.example/a.pem',
    'https://sns.eusc-de-east-1.amazonawsxeu/a.pem',
    'https://sns.eu-west-1.amazonaws.de/a.pem',
    'https://evil-c2s.ic.gov/a.pem',
    '',
  ])('never asks for %s', async (certificateUrl) => {
    const signer = await createSigner('ses');
    const forged = signer.sign({ body: '{}', at: 1, sns: { certificateUrl } });
    const verifier = adapterOf('ses').verifier(signer.settings);
    expect(verifier.verify(forged)).toMatchObject({ code: 'CERTIFICATE_URL_NOT_ALLOWED' });
  });

  it.each([
    ['aws', 'sns.eu-west-1.amazonaws.com'],
    ['aws-us-gov', 'sns.us-gov-west-1.amazonaws.com'],
    ['aws-cn', 'sns.cn-north-1.amazonaws.com.cn'],
    ['aws-eusc', 'sns.eusc-de-east-1.amazonaws.eu'],
    ['aws-iso', 'sns.us-iso-east-1.c2s.ic.gov'],
    ['aws-iso-b', 'sns.us-isob-east-1.sc2s.sgov.gov'],
    ['aws-iso-e', 'sns.eu-isoe-west-1.cloud.adc-e.uk'],
    ['aws-iso-f', 'sns.us-isof-south-1.csp.hci.ic.gov'],
  ])('knows SNS of partition %s', async (_partition, host) => {
    const signer = await createSigner('ses');
    const [pem = ''] = signer.resources.values();
    const [certificateUrl, subscribeUrl] = [`https://${host}/a.pem`, `https://${host}/?Action=Confirm`];
    const verifier = adapterOf('ses').verifier(signer.settings);
    const type = 'SubscriptionConfirmation';
    const request = signer.sign({ body: 'x', at: 1, sns: { type, certificateUrl, subscribeUrl } });
    expect(verifier.verify(request)).toEqual({ outcome: 'needs', url: certificateUrl });
    expect(verifier.verify(request, new Map([[certificateUrl, pem]]))).toMatchObject({
      outcome: 'verified',
      handshake: { kind: 'visit', url: subscribeUrl },
    });
  });

  it('visits a confirmation, only acknowledges a cancellation', async () => {
    const signer = await createSigner('ses');
    const verifier = adapterOf('ses').verifier(signer.settings);
    const verdict = (type: 'SubscriptionConfirmation' | 'UnsubscribeConfirmation') =>
      verifier.verify(signer.sign({ body: 'x', at: 1, sns: { type } }), signer.resources);
    expect(verdict('SubscriptionConfirmation')).toMatchObject({
      handshake: { kind: 'visit', url: expect.stringContaining('ConfirmSubscription') },
    });
    expect(verdict('UnsubscribeConfirmation')).toMatchObject({ handshake: { kind: 'acknowledge' } });
  });

  it('reads the spelling of Lambda', async () => {
    const signer = await createSigner('ses');
    const genuine = signer.sign({ body: '{}', at: 1, sns: { subject: null } });
    const body = Buffer.from(genuine.body.toString().replace('SigningCertURL', 'SigningCertUrl'));
    const verifier = adapterOf('ses').verifier(signer.settings);
    expect(verifier.verify({ ...genuine, body }, signer.resources)).toEqual({ outcome: 'verified' });
  });

  it('refuses raw delivery, other signature versions and settings without a topic', async () => {
    const signer = await createSigner('ses');
    const verifier = adapterOf('ses').verifier(signer.settings);
    expect(codeOf(verifier, { body: Buffer.from('{"eventType":"Send"}') })).toBe('SIGNATURE_MISSING');
    expect(codeOf(verifier, { body: Buffer.from('x') })).toBe('BODY_UNREADABLE');
    const genuine = signer.sign({ body: '{}', at: 1 });
    const body = Buffer.from(
      genuine.body.toString().replace('"SignatureVersion":"2"', '"SignatureVersion":"3"'),
    );
    expect(codeOf(verifier, { body })).toBe('SIGNATURE_MALFORMED');
    for (const topicArns of [undefined, [], '', [''], 7]) {
      expect(() => adapterOf('ses').verifier({ secrets: [], options: { topicArns } })).toThrow(/topicArns/);
    }
  });
});
