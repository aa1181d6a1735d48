import { createHmac, randomBytes, randomUUID } from 'node:crypto';
import type { EspRequest, Resources } from '@email-events/esps';
import type { Account, Proof, Signer, SignInput, TimeFields } from './account.ts';

// Ways of signing that several ESPs share. Nothing here uses the code that verifies: each checks the other.

export const HOUR = 3_600_000;
export const NO_RESOURCES: Resources = new Map();

type Way<Key> = Pick<Account<Key>, 'esp' | 'newKey' | 'signer'>;

/** A POST with what every ESP sends. */
export function post(
  input: SignInput,
  body: Buffer,
  headers: { readonly [name: string]: string },
): EspRequest {
  return {
    method: 'POST',
    url: input.url ?? '/',
    headers: { 'content-type': input.contentType ?? 'application/json', ...headers },
    body,
    receivedAt: input.receivedAt ?? input.at,
  };
}

/** The unix time of a request in whole seconds, as text. */
export const secondsOf = (input: SignInput): string => String(Math.floor(input.at / 1000));

/** A signer whose source has this one secret. */
export function withSecret(esp: string, secret: string, sign: Signer['sign'], options = {}): Signer {
  return { esp, settings: { secrets: [secret], options }, resources: NO_RESOURCES, sign };
}

export const hexKey = (): string => randomBytes(24).toString('hex');

/** HMAC over the parts, one after the other. */
export function hmacOf(hash: 'sha1' | 'sha256', key: string | Buffer, ...parts: (string | Buffer)[]): Buffer {
  const hmac = createHmac(hash, key);
  for (const part of parts) hmac.update(part);
  return hmac.digest();
}

/** Basic authentication, with the ESP's name as the user. */
export function basicAuthentication(esp: string): Way<string> {
  return {
    esp,
    newKey: () => `${esp}:${randomBytes(18).toString('base64url')}`,
    signer(secret) {
      const authorization = `Basic ${Buffer.from(secret).toString('base64')}`;
      return withSecret(esp, secret, (input) => post(input, Buffer.from(input.body), { authorization }));
    },
  };
}

/** The HMAC-SHA256 of the body, in hex, in a header. */
export function bodyHmac(esp: string, header: string): Way<string> {
  return {
    esp,
    newKey: hexKey,
    signer: (secret) =>
      withSecret(esp, secret, (input) => {
        const body = Buffer.from(input.body);
        return post(input, body, { [header]: hmacOf('sha256', secret, body).toString('hex') });
      }),
  };
}

/** https://www.standardwebhooks.com, under its own header names or those of Svix. */
export function standardWebhooks(esp: string, prefix: 'webhook' | 'svix' = 'webhook'): Way<string> {
  return {
    esp,
    newKey: () => `whsec_${randomBytes(24).toString('base64')}`,
    signer(secret) {
      const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
      return withSecret(esp, secret, (input) => {
        const body = Buffer.from(input.body);
        const id = input.id ?? `msg_${randomUUID()}`;
        const timestamp = secondsOf(input);
        const signature = hmacOf('sha256', key, `${id}.${timestamp}.`, body).toString('base64');
        return post(input, body, {
          [`${prefix}-id`]: id,
          [`${prefix}-timestamp`]: timestamp,
          [`${prefix}-signature`]: `v1,${signature}`,
        });
      });
    },
  };
}

/** ESPs that sign nothing and are told a user name and a password. */
export const BASIC_PROOF = {
  tampered: 'unnoticed',
  wrongKey: 'CREDENTIALS_WRONG',
  window: null,
  proof: /^authorization$/,
  missing: 'CREDENTIALS_MISSING',
  replayToken: false,
} as const satisfies Proof;

/** ESPs that sign the body, and no time. */
export const SIGNED_BODY = {
  tampered: 'SIGNATURE_WRONG',
  wrongKey: 'SIGNATURE_WRONG',
  window: null,
  proof: /signature$/,
  missing: 'SIGNATURE_MISSING',
  replayToken: false,
} as const satisfies Proof;

/** ESPs that sign as Standard Webhooks has it: five minutes either way. */
export const STANDARD_PROOF = {
  ...SIGNED_BODY,
  window: { past: 300_000, future: 300_000 },
} as const satisfies Proof;

/** The request without what proves it: header, parameter of the query, or a field of the body. */
export function withoutProof(request: EspRequest, { proof }: Proof): EspRequest {
  // A field that is the last one cannot leave its comma: another takes its place.
  const without = (text: string) => text.replace(proof, (found) => (/^"[^,]*$/.test(found) ? '"x":1' : ''));
  return {
    ...request,
    url: without(request.url),
    headers: Object.fromEntries(Object.entries(request.headers).filter(([name]) => !proof.test(name))),
    body: Buffer.from(without(request.body.toString('latin1')), 'latin1'),
  };
}

export const inSeconds = (...names: string[]): TimeFields => ({ names, as: 'seconds' });
export const inText = (...names: string[]): TimeFields => ({ names, as: 'text' });

/** Two of the only event of a JSON list; what follows the list stays in front of the second. */
export const twiceInList = (body: string): string => body.replace(/\]\s*$/, `,${body.trim().slice(1)}`);
/** Two of an event in a list that one event does without. */
export const asListOfTwo = (body: string): string => `[${body},${body}]`;
