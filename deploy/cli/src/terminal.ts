/**
 * Characters that a terminal obeys, or shows other than they are: control characters (C0, DEL, C1), line and paragraph separators,
 * bidirectional controls, and halves of surrogate pairs.
 */
const UNSAFE = /[\p{Cc}\p{Cs}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;

const SHORT: { readonly [character: string]: string } = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/**
 * Makes text from outside safe to show: text that an ESP, a mail server, a CRM or a registry sent, or that contains such text.
 * `lines` is for text that fills separate lines and may have several; any other text stays on its line, so that no
 * payload can pass for a line of the program.
 */
export function visible(text: string, layout: 'line' | 'lines' = 'line'): string {
  return text.replace(UNSAFE, (character) =>
    layout === 'lines' && (character === '\n' || character === '\t') ? character : escaped(character),
  );
}

function escaped(character: string): string {
  const code = character.charCodeAt(0);
  const hex = code.toString(16);
  return SHORT[character] ?? (code < 0x100 ? `\\x${hex.padStart(2, '0')}` : `\\u${hex.padStart(4, '0')}`);
}

/** Quotes a text so that a shell takes it for one word. */
export function shellWord(text: string): string {
  return /^[\w.,:/@%+=-]+$/.test(text) ? text : `'${visible(text).replaceAll("'", `'\\''`)}'`;
}

/** Bold, dim and the colours that we use; nothing that hides text. */
const COLOUR = new RegExp(`(${String.fromCharCode(0x1b)}\\[(?:1|2|22|3[1-79]|90)m)`);

/**
 * Text as it goes to the terminal: lines and colours as they are, and nothing else that a terminal obeys, also
 * where a caller forgot to make it visible before.
 */
export function forTerminal(text: string): string {
  return text
    .split(COLOUR)
    .map((part, index) => (index % 2 === 1 ? part : visible(part, 'lines')))
    .join('');
}

/** JSON that any terminal may show: what JSON leaves as it is goes as an escape too, so its meaning stays the same. */
export function jsonText(value: unknown, indent = 0): string {
  // Line ends are layout: those of texts are escaped already.
  return JSON.stringify(value, jsonSafe, indent).replace(UNSAFE, (character) =>
    character === '\n' ? character : `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Offsets are bigints: numbers where they fit, texts beyond. */
function jsonSafe(_key: string, value: unknown): unknown {
  if (typeof value !== 'bigint') return value;
  return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
}
