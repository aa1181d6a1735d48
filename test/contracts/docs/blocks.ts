/** The sh blocks of a Markdown text, and what is said about running them. */
export interface Block {
  /** Line of its first command, from 1. */
  readonly line: number;
  readonly body: string;
  /** By the comment before it; default: one of the tests here runs it. */
  readonly mark: Mark;
}

export type Mark =
  | { readonly kind: 'run' }
  /** `<!-- not run: REASON -->` */
  | { readonly kind: 'not run'; readonly reason: string }
  /** `<!-- run by FILE -->`: another test runs it, step by step. */
  | { readonly kind: 'run by'; readonly file: string };

const FENCE = /^( *)```(.*)\n([\s\S]*?)^\1```$/gm;

export function shBlocks(text: string): Block[] {
  return fencesIn(text).filter(({ language }) => language === 'sh');
}

/** Languages of fences that look like commands and are none that is read here. */
export function strayShells(text: string): string[] {
  return fencesIn(text).flatMap(({ language, body, line }) => {
    if (/^(bash|shell|console|zsh|fish|shellscript)$/.test(language)) return [`line ${line}: ${language}`];
    const commands = language === '' && /^\s*\$? ?(npm|npx|node|docker) /m.test(body);
    return commands ? [`line ${line}: commands without a language`] : [];
  });
}

function fencesIn(text: string): (Block & { readonly language: string })[] {
  return [...text.matchAll(FENCE)].map(({ index, 1: indent = '', 2: info = '', 3: body = '' }) => {
    const before = text.slice(0, index).trimEnd();
    return {
      line: text.slice(0, index).split('\n').length + 1,
      language: info.trim(),
      body: body.replaceAll(new RegExp(`^${indent}`, 'gm'), '').trimEnd(),
      mark: markIn(before.slice(before.lastIndexOf('\n') + 1).trim()),
    };
  });
}

function markIn(line: string): Mark {
  const reason = /^<!-- not run: (.+) -->$/.exec(line)?.[1];
  if (reason !== undefined) return { kind: 'not run', reason };
  const file = /^<!-- run by (\S+) -->$/.exec(line)?.[1];
  return file === undefined ? { kind: 'run' } : { kind: 'run by', file };
}
