import { randomBytes } from 'node:crypto';
import { NO_RESOURCES, type Signer } from './signer.ts';

/** Elastic Email proves itself by a token in the query, beside the event. */
export function elasticemailSigner(secret = randomBytes(16).toString('hex')): Signer {
  return {
    esp: 'elasticemail',
    settings: { secrets: [secret], options: {} },
    resources: NO_RESOURCES,
    sign(input) {
      const event = input.body.toString();
      return {
        method: 'GET',
        url: `${input.url ?? '/'}?token=${encodeURIComponent(secret)}${event === '' ? '' : `&${event}`}`,
        headers: {},
        body: Buffer.alloc(0),
        receivedAt: input.receivedAt ?? input.at,
      };
    },
  };
}
