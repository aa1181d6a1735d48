import { createPublicKey, type KeyObject } from 'node:crypto';
import { fromBase64 } from './encoding.ts';

/** A public key out of base64 SPKI (PEM armour is tolerated); null if it is none. */
export function spkiKey(secret: string): KeyObject | null {
  const der = fromBase64(secret.replace(/-----(?:BEGIN|END) PUBLIC KEY-----|\s/g, ''));
  if (!der) return null;
  try {
    return createPublicKey({ key: der, format: 'der', type: 'spki' });
  } catch {
    return null;
  }
}
