import { hash, randomBytes } from 'node:crypto';
import { decodeForeign, encodeForeign } from '../reading/foreign-bytes.ts';
import { NO_RESOURCES, post, type Signer } from './signer.ts';

/** Unisender Go writes the digest into the place where the key was when it was taken. */
export function unisenderGoSigner(secret = randomBytes(24).toString('base64url')): Signer {
  return {
    esp: 'unisender-go',
    settings: { secrets: [secret], options: {} },
    resources: NO_RESOURCES,
    sign(input) {
      const event = decodeForeign(Buffer.from(input.body));
      const withAuth = (auth: string) => encodeForeign(event.replace('{', `{"auth":"${auth}",`));
      return post(input, withAuth(hash('md5', withAuth(secret))), {});
    },
  };
}
