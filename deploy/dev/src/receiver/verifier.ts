import type { IncomingHttpHeaders } from 'node:http';
import { Webhook, WebhookVerificationError } from 'standardwebhooks';

/** True if one of the secrets signed these bytes not long ago. */
export type Verify = (body: Buffer, headers: IncomingHttpHeaders) => boolean;

/** Throws if there is no secret, or one that is none. */
export function createVerifier(secrets: readonly string[]): Verify {
  if (secrets.length === 0) throw new Error('the receiver needs at least one signing secret');
  const webhooks = secrets.map((secret) => new Webhook(secret));
  return (body, headers) => {
    const text = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
    return webhooks.some((webhook) => {
      try {
        webhook.verify(body, text, { jsonParse: false });
        return true;
      } catch (error) {
        if (error instanceof WebhookVerificationError) return false;
        throw error;
      }
    });
  };
}
