import { createHash } from 'node:crypto';
import type { RefusalCode, Verdict } from '../adapter.ts';
import { earlyFields, jsonFields, type Span } from './json-fields.ts';
import { fromHex, sameBytes } from './signatures.ts';

/** As it is written: what is replaced is what the JSON says is there, and nothing that only looks like it. */
const MD5 = /^"[0-9a-f]{32}"$/i;
const LONGEST = 64;
/** Bytes of a body that is looked through before the digest is made, and of the beginning of a longer one. */
const BEGINNING = 65_536;
/** Bytes of the end of a longer one. */
const END = 16_384;

/**
 * Judges an MD5 in hex that stands in the body, at the top, and was made of the body with a key in its place.
 *
 * Making the MD5 of a long body costs nearly twice an HMAC-SHA256, and looking through it as much as that. So the MD5 comes first, of the
 * field where it can only be: before the part that makes the body long, or behind it. Then, if it is right, all of the body is looked through.
 */
export function judgeKeyInBody(body: Buffer, field: string, keys: readonly Buffer[]): Verdict {
  if (body.length <= BEGINNING) {
    const fields = jsonFields(body, [field]);
    return fields ? judgeAt(body, fields.get(field), keys) : refused('BODY_UNREADABLE');
  }
  const span = earlyFields(body.subarray(0, BEGINNING), [field]).get(field) ?? lastOf(body, field);
  const verdict = judgeAt(body, span, keys);
  if (verdict.outcome !== 'verified') return verdict;
  return jsonFields(body, [field])?.get(field)?.start === span?.start ? verdict : refused('BODY_UNREADABLE');
}

/** The last MD5 under this name near the end of the body, at the top of it or not. */
function lastOf(body: Buffer, field: string): Span | undefined {
  const from = body.length - END;
  const end = body.toString('latin1', from);
  const match = [
    ...end.matchAll(new RegExp(`"${field}"[ \\t\\r\\n]*:[ \\t\\r\\n]*("[0-9a-f]{32}")`, 'gi')),
  ].at(-1);
  if (!match) return undefined;
  const past = from + match.index + match[0].length;
  return { start: past - (match[1] ?? '').length, end: past };
}

function judgeAt(body: Buffer, span: Span | undefined, keys: readonly Buffer[]): Verdict {
  const written = span && body.toString('latin1', span.start, Math.min(span.end, span.start + LONGEST));
  if (!span || !written || written === 'null' || written === '""') return refused('SIGNATURE_MISSING');
  // With escapes in it, it is not certain what was replaced.
  const digest = MD5.test(written) ? fromHex(written.slice(1, -1)) : null;
  if (!digest) return refused('SIGNATURE_MALFORMED');
  const [before, after] = [body.subarray(0, span.start + 1), body.subarray(span.end - 1)];
  let found = false;
  for (const key of keys) {
    const expected = createHash('md5').update(before).update(key).update(after).digest();
    found = sameBytes(expected, digest) || found;
  }
  return found ? { outcome: 'verified' } : refused('SIGNATURE_WRONG');
}

function refused(code: RefusalCode): Verdict {
  return { outcome: 'refused', code };
}
