import { randomBytes } from 'node:crypto';

const EVENTS = 6;

/** A batch as Mailtrap sends it, of about 2.6 kB. */
export function mailtrapBody(): string {
  const events = Array.from({ length: EVENTS }, (_, n) => ({
    event: 'delivery',
    event_id: randomBytes(16).toString('hex'),
    message_id: randomBytes(16).toString('hex'),
    timestamp: Math.floor(Date.now() / 1_000) - n,
    email: `recipient${n}@mail.example`,
    sending_domain_name: 'shop.example',
    sending_stream: 'transactional',
    category: 'autumn-sale',
    custom_variables: { order: `A-7731${n}`, tenant: 'shop', campaign: 'autumn-sale', variant: 'b' },
    response: '250 2.0.0 OK  1790000000 d2e1a72fcca58-71b2c5f0a2csi3187234b3a.331 - gsmtp',
    response_code: 250,
  }));
  return JSON.stringify({ events });
}
