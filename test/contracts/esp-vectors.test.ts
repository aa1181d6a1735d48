import { generateKeyPairSync, sign } from 'node:crypto';
import { type EspRequest, inspectRequest } from '@email-events/esps';
import { standardWebhooks } from '@email-events/esps/accounts/standard-webhooks';
import { EventWebhook } from '@sendgrid/eventwebhook';
import fc from 'fast-check';
import { Webhook } from 'standardwebhooks';
import { describe, expect, it } from 'vitest';
import { adapterOf } from './esp-fixtures.ts';

// The project's signing and verifying could be wrong together: here other people's code has signed or judges.

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

// Signatures in headers that other people's code has made: the vendors' SDKs, Symfony's bridges, openssl, the reference
// library of Standard Webhooks.

interface Vector {
  readonly esp: string;
  readonly origin: string;
  readonly secret: string;
  readonly headers: EspRequest['headers'];
  readonly body: string;
  readonly receivedAt: number;
  readonly event: object;
}

const VECTORS: readonly Vector[] = [
  {
    esp: 'mailtrap',
    origin: 'the vector that all SDKs of Mailtrap share',
    secret: '8d9a3c0e7f5b2d4a6c1e9f8b3a7d5c2e',
    headers: { 'mailtrap-signature': '6d262e2611cd09be1f948382b5c611d63b0e585c4c9c5e40139d6ac3876d5433' },
    body: JSON.stringify({
      event: 'delivery',
      sending_stream: 'transactional',
      category: 'welcome',
      message_id: 'a8b1d8f6-1f8d-4a3c-9b2e-1a2b3c4d5e6f',
      email: 'recipient@example.com',
      event_id: 'f1e2d3c4-b5a6-7890-1234-567890abcdef',
      timestamp: 1716070000,
    }),
    receivedAt: 1_716_070_000_000,
    event: { type: 'delivered', recipient: 'recipient@example.com', tags: ['welcome'] },
  },
  {
    esp: 'resend',
    origin: 'Symfony’s bridge, recorded from Resend, with CRLF',
    secret: 'whsec_ESwTAuuIe3yfH4DgdgI+ENsiNzPAGdp+',
    headers: {
      'svix-id': '172c41ce-ba6d-4281-8a7a-541faa725748',
      'svix-timestamp': '1712569389',
      'svix-signature': 'v1,4wjuRp64yC/2itgCQwl2xPePVwSPTdPbXLIY6IxGLTA=',
    },
    body: `${JSON.stringify(
      {
        created_at: '2024-04-08T09:43:09.500Z',
        data: {
          created_at: '2024-04-08T09:43:09.438Z',
          email_id: '172c41ce-ba6d-4281-8a7a-541faa725748',
          from: 'test@resend.com',
          headers: [{ name: 'Sender', value: 'test@resend.com' }],
          subject: 'Test subject',
          to: ['test@example.com'],
        },
        type: 'email.sent',
      },
      null,
      4,
    )}\n`.replaceAll('\n', '\r\n'),
    receivedAt: 1_712_569_389_000,
    event: { type: 'queued', recipient: 'test@example.com', occurred_at: '2024-04-08T09:43:09.500Z' },
  },
  {
    esp: 'mailersend',
    origin: 'Symfony’s bridge, newer payload generation',
    secret: 'PnzMUKGNoNUPwuHj4yythmoI7h6teiC2',
    headers: { signature: '213b4053b0e3d44466eb39970f24f15cb178750d55c0ccd4c2e898d69b0f820d' },
    body: `{    "type": "activity.sent",    "created_at": "2026-01-01T12:00:00.000000Z",    "data": {        ${[
      '"id": "62f114f8165fe0d8db0288e5"',
      '"domain_id": "dnvo4d93e0ng5r86"',
      '"message_id": "67f91abd69f79df391e9d78d"',
      '"email_id": "67f91abe2202f3705540234a"',
      '"type": "sent"',
      '"subject": "Test subject"',
      '"recipient": "test@example.com"',
      '"tags": ["test-tag"]',
      '"meta": []',
    ].join(',        ')}    }}`,
    receivedAt: 1_767_268_800_000,
    event: { type: 'queued', recipient: 'test@example.com', tags: ['test-tag'] },
  },
  ...(['x-postal-signature', 'x-postal-signature-256'] as const).map((header) => ({
    esp: 'postal',
    origin: `openssl dgst, ${header}, key of 1024 bit`,
    secret:
      'MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCsAxMd1qVpz00+wRLx0jXMkKctdMiGdKQDmisfdPCdb/fRrd0X/8qgFu6CSQSf3o8rdl4QH0tcSV61Qq9XU6/DPfgDk+ovqKlxA2Ct9aFjJX9DMn/uZhh8rT0Boe5mCgeNNpRydkRCSpsM6pJaPT0yq9jfvPmFBOYECv9mnl7miQIDAQAB',
    headers: {
      [header]:
        header === 'x-postal-signature'
          ? 'pUVuVLSiUcF7DJ3ffb7I4id168r1VbWwif4nb2aRputoj5wDjlIHE/iTUx0nLvYSRptJ8mjxg0hTqRheJogRKphxMr60WWTu07jEW9QXBZNvvkvS3VtdAtRbvsYesv4up5aqqvKrGw9BXIxrGVOtCMjJ0tD6+1xKFHzd4teBJfU='
          : 'Tok38rhJtylapzLu2rWsOGdDXRruyBOm/8SR4vx9XwtaFXuf2dVrXafOJhiXnEtf6ppxtHeuF7qarZF6wbm+hz0QK4XXgcGgaiCt9kncOIl7Ra16lubCnFKxgB7+rCjZCxphcLySCXNLb/2lWYHJ+N520MVXV9YTyDO6L1qVQuo=',
    },
    body: '{"event":"MessageSent","timestamp":1793610929.354368,"payload":{},"uuid":"u1"}',
    receivedAt: 1_793_610_930_000,
    event: {},
  })),
];

describe.each(VECTORS)('$esp: $origin', ({ esp, secret, headers, body, receivedAt, event }) => {
  const adapter = adapterOf(esp);
  const verifier = adapter.verifier({ secrets: [secret], options: {} });
  const request = (text: string): EspRequest => ({
    method: 'POST',
    url: '/',
    headers,
    body: Buffer.from(text),
    receivedAt,
  });

  it('is verified, byte for byte, and read', () => {
    const { verified, events } = inspectRequest({ adapter, verifier, request: request(body) });
    expect(verified).toBe(true);
    if (Object.keys(event).length > 0) expect(events).toMatchObject([event]);
    for (const changed of [`${body} `, body.slice(0, -1), body.replace('e', 'E')]) {
      expect(verifier.verify(request(changed))).toMatchObject({ code: 'SIGNATURE_WRONG' });
    }
  });
});

describe.each(['resend', 'loops'])('%s', (esp) => {
  const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
  const verifier = adapterOf(esp).verifier({ secrets: [secret], options: {} });
  const prefixes = fc.constantFrom('webhook', 'svix');

  it('agrees with the reference library on any body, and on damage to id, time, body and signature', () => {
    const library = new Webhook(secret);
    const damage = fc.constantFrom('none', 'id', 'time', 'body', 'signature');
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme' }),
        fc.string({ minLength: 1 }),
        fc.integer({ min: 1, max: 2 ** 31 - 1 }),
        prefixes,
        damage,
        (body, id, at, prefix, damaged) => {
          const signature = library.sign(id, new Date(at * 1000), body);
          const headers = {
            [`${prefix}-id`]: damaged === 'id' ? `${id}x` : id,
            [`${prefix}-timestamp`]: String(damaged === 'time' ? at - 1 : at),
            [`${prefix}-signature`]: damaged === 'signature' ? `v1,${'A'.repeat(43)}=` : signature,
          };
          const sent = Buffer.from(damaged === 'body' ? `${body} ` : body);
          const verdict = verifier.verify({
            method: 'POST',
            url: '/',
            headers,
            body: sent,
            receivedAt: at * 1000,
          });
          expect(verdict.outcome === 'verified').toBe(damaged === 'none');
        },
      ),
      { numRuns: 1000 },
    );
  });
});
