import { postal as account } from '@email-events/esps/accounts/postal';
import { describe, expect, it } from 'vitest';
import { postal } from './postal.ts';
import { read } from './read.fixture.ts';

const message = { id: 12, direction: 'outgoing', message_id: 'x@rp.example', to: 'a@example.com' };
const event = (name: string, payload: object = {}, more: object = {}) => ({
  event: name,
  timestamp: 1_793_610_929.1234,
  payload: { message, ...payload },
  uuid: 'u1',
  ...more,
});

describe('both signatures', () => {
  const signer = account.signer(account.newKey());
  const verifier = postal.verifier(signer.settings);
  const signed = signer.sign({ body: '{"event":"MessageSent"}', at: 1 });
  const without = (header: string) => ({ ...signed, headers: { ...signed.headers, [header]: undefined } });
  const verdict = (headers: object) =>
    verifier.verify({ ...signed, headers: { ...signed.headers, ...headers } });

  it('are right each for itself', () => {
    expect(verifier.verify(signed).outcome).toBe('verified');
    expect(verifier.verify(without('x-postal-signature')).outcome).toBe('verified');
    expect(verifier.verify(without('x-postal-signature-256')).outcome).toBe('verified');
  });

  it('do not stand for each other: where there is SHA-256, SHA-1 proves nothing', () => {
    const { 'x-postal-signature': sha1, 'x-postal-signature-256': sha256 } = signed.headers;
    expect(verdict({ 'x-postal-signature-256': sha1 })).toMatchObject({ code: 'SIGNATURE_WRONG' });
    expect(verdict({ 'x-postal-signature': sha256, 'x-postal-signature-256': undefined })).toMatchObject({
      code: 'SIGNATURE_WRONG',
    });
    expect(verdict({ 'x-postal-signature-256': '!' })).toMatchObject({ code: 'SIGNATURE_MALFORMED' });
    expect(verdict({ 'x-postal-signature-256': 'AAAA' })).toMatchObject({ code: 'SIGNATURE_WRONG' });
  });
});

describe('identity', () => {
  it('is the uuid', () => {
    const { ids } = read('postal', event('MessageLoaded'));
    expect(read('postal', event('MessageLoaded', { ip_address: '192.0.2.1' })).ids).toEqual(ids);
    expect(read('postal', event('MessageLoaded', {}, { uuid: 'u2' })).ids).not.toEqual(ids);
  });

  it.each([undefined, null, ''])('never merges different events whose uuid is %s', (uuid) => {
    const { ids } = read('postal', event('MessageLoaded', {}, { uuid }));
    expect(read('postal', event('MessageLoaded', {}, { uuid })).ids).toEqual(ids);
    expect(read('postal', event('MessageLoaded', { ip_address: '192.0.2.1' }, { uuid })).ids).not.toEqual(
      ids,
    );
  });
});

it('says nothing of mail that came in', () => {
  const incoming = { message: { ...message, direction: 'incoming' } };
  expect(read('postal', event('MessageDeliveryFailed', incoming))).toEqual({
    events: [],
    ids: [],
    refused: [],
  });
});

it('keeps milliseconds, and ids beyond 2^53', () => {
  const body = JSON.stringify(event('MessageSent')).replace('"id":12', '"id":12345678901234567890');
  expect(read('postal', body).events[0]).toMatchObject({
    occurred_at: 1_793_610_929_123,
    esp_message_id: '12345678901234567890',
  });
});
