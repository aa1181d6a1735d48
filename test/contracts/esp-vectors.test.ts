import { generateKeyPairSync, sign } from 'node:crypto';
import type { EspRequest } from '@email-events/esps';
import { standardWebhooks } from '@email-events/esps/accounts/standard-webhooks';
import { EventWebhook } from '@sendgrid/eventwebhook';
import fc from 'fast-check';
import { Webhook } from 'standardwebhooks';
import { describe, expect, it } from 'vitest';
import { adapterOf } from './esp-fixtures.ts';

// Our signing and verifying could be wrong together: here somebody else's code has signed or judges.

function sendgridRequest(body: string | Buffer, signature: string, timestamp: string): EspRequest {
  return {
    method: 'POST',
    url: '/',
    headers: {
      'x-twilio-email-event-webhook-signature': signature,
      'x-twilio-email-event-webhook-timestamp': timestamp,
    },
    body: Buffer.from(body),
    receivedAt: Number(timestamp) * 1000,
  };
}

describe('SendGrid', () => {
  // Published with the vendor's SDKs (their tests share it). The trailing CRLF belongs to the body.
  const key =
    'MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g==';
  const signature =
    'MEUCIGHQVtGj+Y3LkG9fLcxf3qfI10QysgDWmMOVmxG0u6ZUAiEAyBiXDWzM+uOe5W0JuG+luQAbPIqHh89M15TluLtEZtM=';
  const event = {
    email: 'hello@world.com',
    event: 'dropped',
    reason: 'Bounced Address',
    sg_event_id: 'ZHJvcC0xMDk5NDkxOS1MUnpYbF9OSFN0T0doUTRrb2ZTbV9BLTA',
    sg_message_id: 'LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-756b745b58-kmzbl-18-5F5FC76C-9.0',
    'smtp-id': '<LRzXl_NHStOGhQ4kofSm_A@ismtpd0039p1iad1.sendgrid.net>',
    timestamp: 1600112492,
  };
  const body = `${JSON.stringify([event])}\r\n`;
  const verifier = adapterOf('sendgrid').verifier({ secrets: [key], options: {} });

  it('verifies the published vector, byte for byte', () => {
    expect(verifier.verify(sendgridRequest(body, signature, '1600112502')).outcome).toBe('verified');
    expect(verifier.verify(sendgridRequest(body.trimEnd(), signature, '1600112502')).outcome).toBe('refused');
    expect(verifier.verify(sendgridRequest(body, signature, '1600112503')).outcome).toBe('refused');
  });

  it('agrees with the vendor’s SDK on any body, and on damage to body, time and signature', () => {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
    const secret = publicKey.export({ format: 'der', type: 'spki' }).toString('base64');
    const ours = adapterOf('sendgrid').verifier({ secrets: [secret], options: {} });
    const sdk = new EventWebhook();
    const sdkKey = sdk.convertPublicKeyToECDSA(secret);
    const damage = fc.constantFrom('none', 'body', 'time', 'signature');
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.nat(2 ** 31 - 1), damage, (text, time, damaged) => {
        const made = sign('sha256', Buffer.from(`${time}${text}`), privateKey);
        const bytes = damaged === 'signature' ? Buffer.concat([made, Buffer.from([0])]) : made;
        const sent = damaged === 'body' ? `${text} ` : text;
        const stamp = String(damaged === 'time' ? time + 1 : time);
        const encoded = bytes.toString('base64');
        const theirs = sdkJudges(() => sdk.verifySignature(sdkKey, sent, encoded, stamp));
        const verdict = ours.verify(sendgridRequest(sent, encoded, stamp));
        expect(verdict.outcome === 'verified').toBe(damaged === 'none');
        // The SDK tolerates bytes after the DER sequence; nothing honest has any.
        if (damaged !== 'signature') expect(theirs).toBe(damaged === 'none');
      }),
      { numRuns: 100 },
    );
  });
});

describe('Standard Webhooks', () => {
  // The example of the specification's reference libraries.
  const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
  const verifier = adapterOf('standard-webhooks').verifier({ secrets: [secret], options: {} });
  const request = (body: string, headers: EspRequest['headers'], seconds: number): EspRequest => ({
    method: 'POST',
    url: '/',
    headers,
    body: Buffer.from(body),
    receivedAt: seconds * 1000,
  });

  it.each(['webhook', 'svix'])('verifies the published vector under %s-* headers', (prefix) => {
    const headers = {
      [`${prefix}-id`]: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      [`${prefix}-timestamp`]: '1614265330',
      [`${prefix}-signature`]: 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    };
    expect(verifier.verify(request('{"test": 2432232314}', headers, 1614265330)).outcome).toBe('verified');
    expect(verifier.verify(request('{"test": 2432232315}', headers, 1614265330)).outcome).toBe('refused');
  });

  it('verifies what the reference library signs, among signatures of other keys and versions', () => {
    const library = new Webhook(secret);
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme' }),
        fc.string({ minLength: 1 }),
        fc.nat(2 ** 31 - 1),
        (body, id, at) => {
          const right = library.sign(id, new Date(at * 1000), body);
          const headers = {
            'webhook-id': id,
            'webhook-timestamp': String(at),
            'webhook-signature': `v1a,AAAA v1,AAAA ${right}`,
          };
          expect(verifier.verify(request(body, headers, at)).outcome).toBe('verified');
          expect(verifier.verify(request(`${body}x`, headers, at)).outcome).toBe('refused');
        },
      ),
      { numRuns: 100 },
    );
  });

  it('signs what the reference library verifies', () => {
    const signer = standardWebhooks.signer(secret);
    const { headers, body } = signer.sign({ body: '{"ä":1}', at: Date.now() });
    const library = new Webhook(secret);
    expect(library.verify(body.toString(), headers as { [name: string]: string })).toEqual({ ä: 1 });
  });
});

function sdkJudges(judge: () => boolean): boolean {
  try {
    return judge();
  } catch {
    return false;
  }
}
