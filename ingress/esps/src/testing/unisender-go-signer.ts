import { hash, randomBytes } from 'node:crypto';
import { NO_RESOURCES, post, type Signer } from './signer.ts';

/** Unisender Go writes the digest into the place where the key was when it was taken. */
export function unisenderGoSigner(secret = randomBytes(24).toString('base64url')): Signer {
  return {
    esp: 'unisender-go',
    settings: { secrets: [secret], options: {} },
    resources: NO_RESOURCES,
    sign(input) {
      const withAuth = (auth: string) => input.body.toString().replace('{', `{"auth":"${auth}",`);
      return post(input, Buffer.from(withAuth(hash('md5', withAuth(secret)))), {});
    },
  };
}
