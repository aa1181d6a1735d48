import { globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parse } from 'yaml';
import { ROOT } from './blocks.ts';

/** Sections that each guide to an ESP has, in this order. */
export const SECTIONS = [
  'The source',
  'At the ESP',
  'Events',
  'Addresses',
  'Answers',
  'See that it works',
  'Change the secret',
  'Traps',
] as const;
export type SectionName = (typeof SECTIONS)[number];

/** How one ESP is set up, as its guide tells an operator. */
export interface Guide {
  readonly esp: string;
  readonly text: string;
  readonly title: string;
  /** Headings of the second level, in order. */
  readonly headings: readonly string[];
  /** Text of a section; empty if it is not there. */
  section(name: SectionName): string;
  /** Rows of the table in a section, without its head. */
  rows(name: SectionName): string[][];
  /** The value of the YAML block of a section; undefined if there is none. Throws if it cannot be parsed. */
  yaml(name: SectionName): unknown;
}

const FOLDER = 'ingress/esps/guides';

/** The ESPs that have a guide. */
export function guidedEsps(): string[] {
  return globSync(`${FOLDER}/*.md`, { cwd: ROOT })
    .map((path) => basename(path, '.md'))
    .filter((name) => name !== 'README')
    .sort();
}

export function readGuide(esp: string): Guide {
  const text = readFileSync(join(ROOT, FOLDER, `${esp}.md`), 'utf8');
  const [head = '', ...parts] = text.split(/^## /m);
  const sections = new Map(parts.map((part) => [part.split('\n', 1)[0] ?? '', part.replace(/^.*\n/, '')]));
  const section = (name: SectionName) => sections.get(name) ?? '';
  return {
    esp,
    text,
    title: /^# (.+)$/m.exec(head)?.[1] ?? '',
    headings: [...sections.keys()],
    section,
    rows: (name) => tableRows(section(name)),
    yaml: (name) => {
      const blocks = [...section(name).matchAll(/^```yaml\n([\s\S]*?)^```$/gm)];
      if (blocks.length > 1) throw new Error(`${esp}: ${name} has ${blocks.length} YAML blocks`);
      return blocks[0] && parse(blocks[0][1] ?? '');
    },
  };
}

function tableRows(section: string): string[][] {
  const lines = section.split('\n').filter((line) => line.startsWith('| '));
  return lines.slice(1).map((line) =>
    line
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

/** The texts in code marks, in order. */
export const codeIn = (text: string): string[] =>
  [...text.matchAll(/`([^`\n]+)`/g)].map(([, code = '']) => code);

/** Where the links of a text lead that leave the repository. */
export function outsideLinks(text: string): string[] {
  return [...new Set([...text.matchAll(/\]\((https?:[^)\s]+)\)/g)].map(([, url = '']) => url))].sort();
}
