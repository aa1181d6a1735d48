import { createHash } from 'node:crypto';
import type { RefusalCode, Verdict } from '../adapter.ts';
import { fromHex, sameBytes } from './encoding.ts';
import { jsonFields } from './json-fields.ts';

/** As it is written: what is replaced is what the JSON says is there, and nothing that only looks like it. */
const MD5 = /^"[0-9a-f]{32}"$/i;
const LONGEST = 64;

/** Judges an MD5 in hex that stands in the body, at the top, and was made of the body with a key in its place. */
export function judgeKeyInBody(body: Buffer, field: string, keys: readonly Buffer[]): Verdict {
  const fields = jsonFields(body, [field]);
  if (!fields) return refused('BODY_UNREADABLE');
  const span = fields.get(field);
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
