import { Webhook } from 'standardwebhooks';
import type { Secret } from './config/index.ts';

/*
 * Calls that we sign, for a receiver to know them by: Standard Webhooks 1.0 (https://www.standardwebhooks.com).
 */

export interface StandardWebhookHeaders {
  readonly 'webhook-id': string;
  /** Epoch seconds. */
  readonly 'webhook-timestamp': string;
  readonly 'webhook-signature': string;
}

/**
 * Signs bodies, with one signature for each secret: while a receiver changes to a new one it takes either. `id` is the same for every
 * attempt to send the same thing; `now`: epoch milliseconds.
 */
export function webhookSigner(
  secrets: readonly Secret[],
): (id: string, body: string, now: number) => StandardWebhookHeaders {
  const signers = secrets.map((secret) => new Webhook(secret.reveal()));
  return (id, body, now) => {
    const sentAt = new Date(now);
    return {
      'webhook-id': id,
      'webhook-timestamp': String(Math.floor(sentAt.getTime() / 1_000)),
      'webhook-signature': signers.map((signer) => signer.sign(id, sentAt, body)).join(' '),
    };
  };
}

export const SIGNING_SECRET_EXPECTED = 'must be whsec_ and 24 to 64 bytes in base64';

/** Standard Webhooks' own form and bounds of a symmetric secret. */
export function isSigningSecret(text: string): boolean {
  const encoded = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(text)?.[1];
  if (encoded === undefined || encoded.length % 4 !== 0) return false;
  const { length } = Buffer.from(encoded, 'base64');
  return length >= 24 && length <= 64;
}
