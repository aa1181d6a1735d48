import {
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  randomUUID,
  sign,
} from 'node:crypto';
import { decodeForeign, encodeForeign } from '../reading/foreign-bytes.ts';
import { hmac } from '../schemes/hmac.ts';
import { type HeaderPrefix, signingKey, standardSignature } from '../schemes/standard-webhooks.ts';
import { NO_RESOURCES, post, type Signer, type SignInput, seconds } from './signer.ts';

export function sendgridSigner(): Signer {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const secret = publicKey.export({ format: 'der', type: 'spki' }).toString('base64');
  return {
    esp: 'sendgrid',
    settings: { secrets: [secret], options: {} },
    resources: NO_RESOURCES,
    sign(input) {
      const body = Buffer.from(input.body);
      const timestamp = seconds(input);
      const signature = sign('sha256', Buffer.concat([Buffer.from(timestamp), body]), privateKey);
      return post(input, body, {
        'x-twilio-email-event-webhook-signature': signature.toString('base64'),
        'x-twilio-email-event-webhook-timestamp': timestamp,
      });
    },
  };
}

export function mailgunSigner(secret = randomBytes(16).toString('hex')): Signer {
  return {
    esp: 'mailgun',
    settings: { secrets: [secret], options: {} },
    resources: NO_RESOURCES,
    sign(input) {
      const timestamp = seconds(input);
      const token = input.id ?? randomBytes(25).toString('hex');
      const signature = hmac('sha256', secret, [timestamp, token]).toString('hex');
      return post(input, encodeForeign(withSignature(input, { timestamp, token, signature })), {});
    },
  };
}

/** Mailgun's signature is part of the body, so it is put in as its own serializer would. */
function withSignature(input: SignInput, signature: { readonly [name: string]: string }): string {
  const body = decodeForeign(Buffer.from(input.body));
  const type = input.contentType ?? 'application/json';
  if (type.startsWith('application/x-www-form-urlencoded')) {
    return `${body}&${new URLSearchParams(signature)}`;
  }
  const boundary = /boundary=(\S+)/.exec(type)?.[1];
  if (boundary) {
    const parts = Object.entries(signature).map(
      ([name, value]) =>
        `--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
    );
    return body.replace(`--${boundary}--`, `${parts.join('')}--${boundary}--`);
  }
  return body.replace('{', `{"signature":${JSON.stringify(signature)},`);
}

export function basicSigner(esp: string, secret = `${esp}:${randomBytes(12).toString('hex')}`): Signer {
  const authorization = `Basic ${Buffer.from(secret).toString('base64')}`;
  return {
    esp,
    settings: { secrets: [secret], options: {} },
    resources: NO_RESOURCES,
    sign: (input) => post(input, Buffer.from(input.body), { authorization }),
  };
}

/** ESPs that send an authorization header of the operator's choice. */
export function authorizationSigner(esp: string, secret = `Key ${randomBytes(16).toString('hex')}`): Signer {
  return {
    esp,
    settings: { secrets: [secret], options: {} },
    resources: NO_RESOURCES,
    sign: (input) => post(input, Buffer.from(input.body), { authorization: secret }),
  };
}

/** ESPs that put the HMAC-SHA256 of the body in hex into a header. */
export function bodyHmacSigner(
  esp: string,
  header: string,
  secret = randomBytes(16).toString('hex'),
): Signer {
  return {
    esp,
    settings: { secrets: [secret], options: {} },
    resources: NO_RESOURCES,
    sign(input) {
      const body = Buffer.from(input.body);
      return post(input, body, { [header]: hmac('sha256', secret, [body]).toString('hex') });
    },
  };
}

export function customerioSigner(secret = randomBytes(32).toString('hex')): Signer {
  return {
    esp: 'customerio',
    settings: { secrets: [secret], options: {} },
    resources: NO_RESOURCES,
    sign(input) {
      const body = Buffer.from(input.body);
      const timestamp = seconds(input);
      const signature = hmac('sha256', secret, ['v0:', timestamp, ':', body]).toString('hex');
      return post(input, body, { 'x-cio-timestamp': timestamp, 'x-cio-signature': signature });
    },
  };
}

/** Signs twice, as newer installations do. */
export function postalSigner(
  privateKey: KeyObject = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey,
): Signer {
  const secret = createPublicKey(privateKey).export({ format: 'der', type: 'spki' }).toString('base64');
  return {
    esp: 'postal',
    settings: { secrets: [secret], options: {} },
    resources: NO_RESOURCES,
    sign(input) {
      const body = Buffer.from(input.body);
      return post(input, body, {
        'x-postal-signature': sign('sha1', body, privateKey).toString('base64'),
        'x-postal-signature-256': sign('sha256', body, privateKey).toString('base64'),
      });
    },
  };
}

export function standardWebhooksSigner(
  esp: string,
  secret = `whsec_${randomBytes(24).toString('base64')}`,
  prefix: HeaderPrefix = 'webhook',
): Signer {
  const key = signingKey(esp, secret);
  return {
    esp,
    settings: { secrets: [secret], options: {} },
    resources: NO_RESOURCES,
    sign(input) {
      const body = Buffer.from(input.body);
      const id = input.id ?? `msg_${randomUUID()}`;
      const timestamp = seconds(input);
      return post(input, body, {
        [`${prefix}-id`]: id,
        [`${prefix}-timestamp`]: timestamp,
        [`${prefix}-signature`]: `v1,${standardSignature(key, id, timestamp, body).toString('base64')}`,
      });
    },
  };
}
