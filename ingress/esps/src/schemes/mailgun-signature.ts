import { type EspRequest, Refusal, type Verdict } from '../adapter.ts';
import { text } from '../reading/fields.ts';
import { bodyKind, lastFields } from '../reading/form.ts';
import { decodeText, isObject, type JsonObject, parseJson } from '../reading/json.ts';
import { jsonFields, type Span } from './json-fields.ts';
import { refusedAt, staleness, type Window } from './settings.ts';
import { fromHex, hmacMatches } from './signatures.ts';

// https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks, seen 2026-11.

interface Signature {
  readonly timestamp: string;
  readonly token: string;
  readonly signature: string;
}

/**
 * Judges the signature that Mailgun puts into the body: over a time and a token, not over the event. The token is for one request
 * alone, which is for the caller to remember.
 */
export function judgeMailgun(request: EspRequest, secrets: readonly string[], window: Window): Verdict {
  let candidates: readonly (Signature | null)[];
  try {
    candidates = signaturesOf(request);
  } catch {
    return { outcome: 'refused', code: 'BODY_UNREADABLE' };
  }
  if (candidates.length === 0) return { outcome: 'refused', code: 'SIGNATURE_MISSING' };
  let verdict: Verdict = { outcome: 'refused', code: 'SIGNATURE_MALFORMED' };
  for (const candidate of candidates) {
    const next = candidate && verifyOne(candidate, request.receivedAt, secrets, window);
    if (next?.outcome === 'verified') return next;
    verdict = next ?? verdict;
  }
  return verdict;
}

function verifyOne(
  candidate: Signature,
  receivedAt: number,
  secrets: readonly string[],
  window: Window,
): Verdict {
  const { timestamp, token, signature } = candidate;
  const bytes = fromHex(signature);
  if (!bytes) return { outcome: 'refused', code: 'SIGNATURE_MALFORMED' };
  const stale = staleness(timestamp, receivedAt, window);
  if (stale) return refusedAt(stale, timestamp);
  return hmacMatches('sha256', secrets, [timestamp, token], [bytes])
    ? { outcome: 'verified', replayToken: token }
    : refusedAt('SIGNATURE_WRONG', timestamp);
}

/** The signature and, for subaccounts, the parent's. Null: there, but not as it should be. */
function signaturesOf(request: EspRequest): readonly (Signature | null)[] {
  if (bodyKind(request) !== 'json') {
    // A sender's custom variable of the same name comes first, Mailgun's own field last.
    const own = lastFields(request, ['timestamp', 'token', 'signature'], LONGEST_BLOCK);
    return own.signature === undefined ? [] : [signatureOf(own)];
  }
  const { body } = request;
  const fields = jsonFields(body, BLOCKS);
  if (!fields) throw new Refusal('NORMALIZE_BODY_UNREADABLE', 'the body is no object, or has a name twice');
  return BLOCKS.map((name) => blockAt(body, fields.get(name)))
    .filter((block) => block !== undefined)
    .map((block) => block && signatureOf(block));
}

const BLOCKS = ['signature', 'parent-signature'];
/** Bytes; a genuine one has about 200. */
const LONGEST_BLOCK = 4_096;

/** The body has been looked through, not parsed: the sender chose its length, and it is not verified. Null: too long. */
function blockAt(body: Buffer, span: Span | undefined): JsonObject | null | undefined {
  if (span === undefined) return undefined;
  if (span.end - span.start > LONGEST_BLOCK) return null;
  const block = parseJson(decodeText(body.subarray(span.start, span.end)));
  return isObject(block) ? block : undefined;
}

function signatureOf(block: JsonObject): Signature | null {
  const timestamp = text(block.timestamp);
  const token = text(block.token);
  const signature = text(block.signature);
  return timestamp && token && signature ? { timestamp, token, signature } : null;
}
