import { adapters, type EspRequest, normalizeRequest } from '@email-events/esps';
import { createSigner, type Signer } from '@email-events/esps/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import { adapterOf } from './esp-fixtures.ts';
import { SCHEMES } from './esp-schemes.ts';

const AT = Date.parse('2026-11-02T09:15:30.500Z');
const BAD = 0xe9;

/** ESPs that sign in a header: it may come twice. */
const HEADERS: { readonly [esp: string]: string } = {
  sendgrid: 'x-twilio-email-event-webhook-signature',
  resend: 'svix-signature',
  loops: 'webhook-signature',
  'standard-webhooks': 'webhook-signature',
  mailersend: 'signature',
  mailtrap: 'mailtrap-signature',
  customerio: 'x-cio-signature',
  postal: 'x-postal-signature-256',
  mandrill: 'x-mandrill-signature',
};

describe.each(Object.entries(HEADERS))('a signature of %s that came twice', (esp, header) => {
  let ours: Signer;
  let theirs: Signer;
  beforeAll(async () => {
    ours = await createSigner(esp);
    theirs = await createSigner(esp);
  });
  const signed = (by: Signer) => by.sign({ body: SCHEMES[esp]!.body, at: AT, id: 'msg_1' });
  const outcome = (signatures: readonly (string | undefined)[], separator = ', ') => {
    const request = signed(ours);
    const headers = { ...request.headers, [header]: signatures.join(separator) };
    return adapterOf(esp)
      .verifier(ours.settings)
      .verify({ ...request, headers }).outcome;
  };

  it('is enough if any of them is good, in any order', () => {
    const [good, bad] = [signed(ours).headers[header], signed(theirs).headers[header]];
    expect(outcome([good, good])).toBe('verified');
    expect(outcome([good, bad])).toBe('verified');
    expect(outcome([bad, good])).toBe('verified');
    expect(outcome([good, bad], ',')).toBe('verified');
    expect(outcome([good, '!'])).toBe('verified');
    expect(outcome([bad, bad])).toBe('refused');
    expect(outcome(['', ''])).toBe('refused');
  });
});

/** A second event beside that of the row in esp-schemes.ts, and where the bad byte goes: of ESPs that send batches. */
const BATCHES: { readonly [esp: string]: (event: string) => string } = {
  sendgrid: (event) => event.replace(/\]\s*$/, `,${event.trim().slice(1)}`),
  sparkpost: (event) => event.replace(/\]\s*$/, `,${event.trim().slice(1)}`),
  mandrill: (event) => event.replace(/\]\s*$/, `,${event.trim().slice(1)}`),
  mailtrap: (event) => {
    const { events } = JSON.parse(event) as { events?: unknown[] };
    return JSON.stringify({ events: [events?.[0] ?? JSON.parse(event), events?.[0] ?? JSON.parse(event)] });
  },
  brevo: (event) => `[${event},${event}]`,
  mailjet: (event) => `[${event},${event}]`,
  'standard-webhooks': (event) => `[${event},${event}]`,
  'unisender-go': (event) => {
    const parsed = JSON.parse(event) as { events_by_user: { events: unknown[] }[] };
    for (const user of parsed.events_by_user) user.events.push(user.events[0]);
    return JSON.stringify(parsed);
  },
};

describe.each(Object.entries(BATCHES))('a batch of %s with a byte that is no UTF-8', (esp, twice) => {
  it('is genuine, and costs the item that has the byte', async () => {
    const signer = await createSigner(esp);
    const request = signer.sign({ body: withBadByte(twice(SCHEMES[esp]!.body)), at: AT });
    expect(adapterOf(esp).verifier(signer.settings).verify(request).outcome).toBe('verified');
    const { results } = normalizeRequest(adapterOf(esp), request);
    expect(results).toMatchObject([
      { index: 0, events: [{ recipient: 'a@example.com' }] },
      { index: 1, code: 'NORMALIZE_ITEM_INVALID' },
    ]);
  });
});

describe.each(adapters.map(({ name }) => name).filter((esp) => esp !== 'elasticemail'))('%s', (esp) => {
  it('verifies a request with a byte that is no UTF-8, and loses nothing but its item', async () => {
    const signer = await createSigner(esp);
    const request: EspRequest = signer.sign({ body: withBadByte(SCHEMES[esp]!.body), at: AT });
    expect(adapterOf(esp).verifier(signer.settings).verify(request, signer.resources).outcome).toBe(
      'verified',
    );
    expect(normalizeRequest(adapterOf(esp), request).results).toMatchObject([
      { index: 0, code: 'NORMALIZE_ITEM_INVALID' },
    ]);
  });
});

/** In the local part of the last address. */
function withBadByte(body: string): Buffer {
  const at = body.lastIndexOf('@example.com');
  return Buffer.concat([Buffer.from(body.slice(0, at)), Buffer.of(BAD), Buffer.from(body.slice(at))]);
}
