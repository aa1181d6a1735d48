import { Script } from 'node:vm';

/** A Markdown table; the first row is its header. Empty cells are dashes. */
export function markdownTable([header = [], ...rows]: readonly (readonly string[])[]): string {
  return [header, header.map(() => '---'), ...rows]
    .map((cells) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|') || '–').join(' | ')} |`)
    .join('\n');
}

/**
 * A text with this content in its section `<!-- NAME: NOTE -->` … `<!-- /NAME -->`.
 * @throws Error if the text has no such section
 */
export function replaceSection(text: string, name: string, note: string, content: string): string {
  const begin = `<!-- ${name}: ${note} -->`;
  const end = `<!-- /${name} -->`;
  const [before, rest] = text.split(begin);
  const after = rest?.split(end)[1];
  if (before === undefined || after === undefined) throw new Error(`no section ${begin} … ${end}`);
  return `${before}${begin}\n${content}\n${end}${after}`;
}

// Names of adapters that a scaffold makes: a slug is the file, and becomes an identifier and a title.

const SLUG = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/;
/** So that no generated line is too long for the formatter. */
const LONGEST = 20;

/** The formatter's order of imports. */
export const BY_FILE_NAME = new Intl.Collator('en', { numeric: true });

export interface Existing {
  /** Whether there is an adapter of this name; asked only of what can be one. */
  exists(slug: string): boolean;
  /** Texts in which the identifier must not have a meaning yet. */
  sources(): readonly string[];
}

/** Why there cannot be a new adapter of this name; null: there can. */
export function slugProblem(slug: string, { exists, sources }: Existing): string | null {
  if (!SLUG.test(slug) || slug.length > LONGEST) {
    return `a name is at most ${LONGEST} characters: small letters and digits in words joined by "-", a letter first`;
  }
  if (exists(slug)) return `${slug} exists already`;
  const identifier = identifierOf(slug);
  if (!isIdentifier(identifier)) return `${identifier} is a word of the language: choose another name`;
  const taken = new RegExp(`\\b${identifier}\\b`);
  // The file of another one may begin with the name: it is no identifier.
  const isTaken = sources().some((source) => taken.test(source.replaceAll(/ from '\..*';/g, '')));
  return isTaken ? `${identifier} has a meaning in the adapter or the registry: choose another name` : null;
}

export function identifierOf(slug: string): string {
  return slug.replace(/-(.)/g, (_dash, letter: string) => letter.toUpperCase());
}

export function titleOf(slug: string): string {
  return slug.replace(
    /(^|-)(.)/g,
    (_word, dash: string, letter: string) => (dash && ' ') + letter.toUpperCase(),
  );
}

function isIdentifier(word: string): boolean {
  try {
    new Script(`'use strict'; async () => { const ${word} = 0; }`);
    return true;
  } catch {
    return false;
  }
}
