import {
  type CredentialFacts,
  EspConfigError,
  type EspRequest,
  type Verdict,
  type Verifier,
  type VerifierSettings,
} from '../adapter.ts';
import { checkSettings, refusedAt, staleness, TOLERANCE_OPTION, type Window, windowOf } from './settings.ts';
import { fromBase64, hmac, sameBytes } from './signatures.ts';

// https://www.standardwebhooks.com (specification), and https://docs.svix.com/receiving/verifying-payloads/how-manual; seen 2026-11.

/** Each repetition is signed anew, so the window can be narrow. */
const WINDOW_SECONDS = 300;
const SECRET_PREFIX = 'whsec_';
const VERSION = 'v1';
// Senders rotate two or three keys, not dozens: what comes after these is not looked at.
const MAX_SIGNATURES = 16;

export const STANDARD_WEBHOOKS_CREDENTIALS = {
  secret: 'whsec_… (base64)',
  options: [TOLERANCE_OPTION],
} as const satisfies CredentialFacts;

/** Header names with this prefix: webhook-id or svix-id. */
export type HeaderPrefix = 'webhook' | 'svix';
const PREFIXES: readonly HeaderPrefix[] = ['webhook', 'svix'];

export function standardWebhooksVerifier(esp: string, settings: VerifierSettings): Verifier {
  checkSettings(esp, STANDARD_WEBHOOKS_CREDENTIALS, settings);
  const keys = settings.secrets.map((secret) => signingKey(esp, secret));
  const window = windowOf(settings, WINDOW_SECONDS);
  return { verify: (request) => verify(request, keys, window) };
}

/** The id of the message, the same for every repetition; null where the header was not kept. */
export function webhookId({ headers }: EspRequest): string | null {
  for (const prefix of PREFIXES) {
    const id = headers[`${prefix}-id`];
    if (id) return id;
  }
  return null;
}

export const WEBHOOK_ID_HEADERS = PREFIXES.map((prefix) => `${prefix}-id`);

/** Bytes of a secret. Throws EspConfigError if it is not base64. */
export function signingKey(esp: string, secret: string): Buffer {
  const key = fromBase64(secret.trim().replace(SECRET_PREFIX, ''));
  if (!key) throw new EspConfigError(`a secret of ${esp} is not ${SECRET_PREFIX} and base64`);
  return key;
}

/** The signature that a key makes. */
export function standardSignature(key: Buffer, id: string, timestamp: string, body: Buffer): Buffer {
  return hmac('sha256', key, [id, '.', timestamp, '.', body]);
}

function verify({ headers, body, receivedAt }: EspRequest, keys: readonly Buffer[], window: Window): Verdict {
  const prefix = PREFIXES.find((candidate) => headers[`${candidate}-signature`]);
  const id = prefix && headers[`${prefix}-id`];
  const timestamp = prefix && headers[`${prefix}-timestamp`];
  const signatures = prefix && headers[`${prefix}-signature`];
  if (!id || !timestamp || !signatures) return { outcome: 'refused', code: 'SIGNATURE_MISSING' };
  const presented = signaturesOf(signatures);
  if (presented.length === 0) return { outcome: 'refused', code: 'SIGNATURE_MALFORMED' };
  const stale = staleness(timestamp, receivedAt, window);
  if (stale) return refusedAt(stale, timestamp);
  for (const key of keys) {
    const expected = standardSignature(key, id, timestamp, body);
    if (presented.some((signature) => sameBytes(signature, expected))) return { outcome: 'verified' };
  }
  return refusedAt('SIGNATURE_WRONG', timestamp);
}

/**
 * `v1,<base64> v1,<base64> …`: several while keys rotate; other versions are for other readers. A header that came twice
 * is joined by a comma, with or without a space.
 */
function signaturesOf(header: string): Buffer[] {
  const signatures: Buffer[] = [];
  for (const [, version, text = ''] of header.matchAll(ENTRY)) {
    if (version !== VERSION) continue;
    const signature = fromBase64(text);
    if (signature) signatures.push(signature);
    if (signatures.length === MAX_SIGNATURES) break;
  }
  return signatures;
}
const ENTRY = /(?:^|[\s,])(v\d+[a-z]*),([^\s,]+)/g;
