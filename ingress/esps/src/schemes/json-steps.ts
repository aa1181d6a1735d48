/** Kinds of bytes, as far as they matter for where a value ends. */
const OTHER = 0;
const QUOTE = 1;
const BACKSLASH = 2;
const OPEN = 3;
const CLOSE = 4;
const KINDS = 5;

/** Between strings, in one, behind a backslash in one. */
const OUTSIDE = 0;
const INSIDE = 1;
const ESCAPED = 2;
const STATES = 3;

/** Bytes of a step. */
const STEP = 4;
/** Different steps from one state: the kinds of the four bytes are digits of a number, the first the lowest. */
const STEPS = KINDS ** STEP;

// A step as one number: the state after it (times STEPS) in 11 bits, then in 4 bits each how far the depth falls meanwhile, how far
// brackets raise it, and what it changes by in all. Depths are counted from -STEP.
const TABLE = Int32Array.from({ length: STATES * STEPS }, (_, index) =>
  stepOf(Math.floor(index / STEPS), index % STEPS),
);
/** The two lower digits, by the two bytes as this machine has them in a number. */
const PAIRS = pairsOf(new Uint16Array(1));

function kindOf(byte: number): number {
  switch (byte) {
    case 0x22:
      return QUOTE;
    case 0x5c:
      return BACKSLASH;
    case 0x5b:
    case 0x7b:
      return OPEN;
    case 0x5d:
    case 0x7d:
      return CLOSE;
    default:
      return OTHER;
  }
}

function pairsOf(pair: Uint16Array): Uint8Array {
  const bytes = new Uint8Array(pair.buffer);
  return Uint8Array.from({ length: 0x10000 }, (_, number) => {
    pair[0] = number;
    return kindOf(bytes[0] as number) + KINDS * kindOf(bytes[1] as number);
  });
}

/** Inside a string one is a level deeper, so that every value ends where its first level does. */
function after(state: number, kind: number): readonly [state: number, change: number] {
  if (state === ESCAPED) return [INSIDE, 0];
  if (state === INSIDE) return kind === QUOTE ? [OUTSIDE, -1] : [kind === BACKSLASH ? ESCAPED : INSIDE, 0];
  if (kind === QUOTE) return [INSIDE, 1];
  return [OUTSIDE, kind === OPEN ? 1 : kind === CLOSE ? -1 : 0];
}

function stepOf(from: number, kinds: number): number {
  let [state, depth, lowest, highest] = [from, 0, 0, -STEP];
  for (let rest = kinds, i = 0; i < STEP; i++, rest = Math.floor(rest / KINDS)) {
    const [next, change] = after(state, rest % KINDS);
    [state, depth] = [next, depth + change];
    lowest = Math.min(lowest, depth);
    if (state === OUTSIDE && change > 0) highest = Math.max(highest, depth);
  }
  const depths = ((lowest + STEP) << 11) | ((highest + STEP) << 15) | ((depth + STEP) << 19);
  return (state * STEPS) | depths;
}

/** Index behind the list or object whose first byte behind the bracket is at `from`; -1: it does not end, or is nested more deeply. */
export function nestedEnd(body: Buffer, from: number, maxDepth: number): number {
  return endOf(body, from, OUTSIDE, maxDepth);
}

/** Index of the quote that ends the string in which `from` is, no escape before it; -1: it does not end. */
export function closingQuote(body: Buffer, from: number): number {
  const end = endOf(body, from, INSIDE, 1);
  return end < 0 ? -1 : end - 1;
}

/**
 * Takes four bytes at a time, by a table and without a branch for what they are: a body costs the same with any content. With a branch for
 * each quote and bracket, a body where they come at random would cost five times as much as its digest.
 */
function endOf(body: Buffer, from: number, within: number, maxDepth: number): number {
  const start = from + ((body.byteOffset + from) & 1);
  if (start + STEP > body.length) return endNear(body, from, within, 1, maxDepth);
  let [state, depth] = start > from ? after(within, kindOf(body[from] as number)) : [within, 0];
  depth += 1;
  if (depth === 0) return start;
  if (state === OUTSIDE && depth > maxDepth) return -1;
  // Numbers and not names, local ones and not the module's, reading where an index cannot be too large: each halves the time.
  const words = new Uint16Array(body.buffer, body.byteOffset + start, (body.length - start) >> 1);
  const [pairs, table, last, deepest] = [PAIRS, TABLE, words.length - 1, maxDepth + 4];
  state *= 625;
  let at = 0;
  for (; at < last; at += 2) {
    const kinds = (pairs[words[at] as number] as number) + 25 * (pairs[words[at + 1] as number] as number);
    const step = table[state + kinds] as number;
    if (depth + ((step >> 11) & 15) <= 4) break;
    if (depth + ((step >> 15) & 15) > deepest) return -1;
    depth += (step >> 19) - 4;
    state = step & 0x7ff;
  }
  return endNear(body, start + 2 * at, state / STEPS, depth, maxDepth);
}

/** Byte by byte, where the end is within a step, or the end of the body. */
function endNear(body: Buffer, from: number, within: number, levels: number, maxDepth: number): number {
  let [state, depth] = [within, levels];
  for (let at = from; at < body.length; at++) {
    const [next, change] = after(state, kindOf(body[at] as number));
    [state, depth] = [next, depth + change];
    if (depth === 0) return at + 1;
    if (state === OUTSIDE && depth > maxDepth) return -1;
  }
  return -1;
}
