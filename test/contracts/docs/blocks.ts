import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The sh blocks of a Markdown text, and what is said about running them. */
interface Block {
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

export const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

export interface Document {
  /** From the root of the repository. */
  readonly path: string;
  readonly text: string;
}

/** Every Markdown file of the tree, those that are not committed yet included. The README, which is read first, is first. */
export function readDocuments(): Document[] {
  const args = ['ls-files', '--cached', '--others', '--exclude-standard', '-z', '*.md'];
  const paths = execFileSync('git', args, { cwd: ROOT, encoding: 'utf8' }).split('\0');
  return paths
    .filter((path) => path !== '' && existsSync(join(ROOT, path)))
    .sort((a, b) => Number(b === 'README.md') - Number(a === 'README.md') || (a < b ? -1 : 1))
    .map((path) => ({ path, text: readFileSync(join(ROOT, path), 'utf8') }));
}

interface RunnableBlock extends Block {
  readonly path: string;
}

/** The blocks that a test runs in this session, in the order in which a reader meets them. */
export function blocksOf(session: Session): RunnableBlock[] {
  return readDocuments().flatMap(({ path, text }) =>
    shBlocks(text)
      .filter(({ mark, body }) => mark.kind === 'run' && sessionOf(body) === session)
      .map((block) => ({ path, ...block })),
  );
}

/** A block needs one of these when it is run: nothing, components, or the whole local pipeline, which `npm start` begins. */
export type Session = 'alone' | 'components' | 'pipeline';

const ALONE: readonly string[] = ['--help', '--version', 'help', 'acl', 'completion', 'config', 'inspect'];
const OF_THE_SHELL: readonly string[] = ['cat', 'echo', 'export', 'mkdir'];
/** Means components at the addresses of that file. */
const OWN_COMPONENTS = 'deploy/config/pipeline.yaml';

/** The session that a block is run in; null: it holds what no session can run. */
export function sessionOf(body: string): Session | null {
  const commands = commandsOf(body).filter(([program = '']) => !OF_THE_SHELL.includes(program));
  if (!commands.every((words) => isStart(words) || isEmailEvents(words))) return null;
  if (commands.every(needsNothing)) return 'alone';
  return body.includes(OWN_COMPONENTS) ? 'components' : 'pipeline';
}

/** Commands that go on until the reader ends them. */
export function keepsRunning(words: Words): boolean {
  if (isStart(words)) return true;
  const [, , name = '', ...args] = words;
  return isEmailEvents(words) && name === 'run' && !args.includes('--check-config');
}

/** Of the service that `run` runs. */
export const serviceOf = ([, , , service = '']: Words): string => service;

const isEmailEvents = ([program, name]: Words) => program === 'npx' && name === 'email-events';
const isStart = (words: Words) => words.join(' ') === 'npm start';

function needsNothing(words: Words): boolean {
  const [, , name = ''] = words;
  return (
    isEmailEvents(words) && (ALONE.includes(name) || (name === 'run' && serviceOf(words) === 'receiver'))
  );
}

const BETWEEN_COMMANDS = /^(&&|\|\||[;|&\n])/;

/** A command of a script as the shell would split it: variables before it are left out. */
export type Words = readonly string[];

/**
 * The simple commands of a script: enough of the shell's grammar for what documentation has (quotes, comments, lines that
 * go on, here-documents, pipes and lists). What is in quotes or in `$( )` is one word and is not looked into.
 */
export function commandsOf(script: string): Words[] {
  const commands: string[][] = [[]];
  let rest = withoutHereDocuments(script.replaceAll('\\\n', ' '));
  while (rest !== '') {
    const between = BETWEEN_COMMANDS.exec(rest)?.[0];
    const blank = /^[ \t]+(#.*)?|^#.*/.exec(rest)?.[0];
    if (between !== undefined) commands.push([]);
    const word =
      between ?? blank ?? /^(?:"(?:\\.|[^"\\])*"|'[^']*'|\$\([^)]*\)|\\.|[^\s;|&"'\\])+/.exec(rest)?.[0];
    if (word === undefined) throw new Error(`cannot be split into words: ${rest}`);
    if (between === undefined && blank === undefined) commands.at(-1)?.push(unquoted(word));
    rest = rest.slice(word.length);
  }
  return commands.map(withoutShellWords).filter((words) => words.length > 0);
}

/** Variables before the program, and where its output goes. */
function withoutShellWords(words: readonly string[]): string[] {
  const program = words.findIndex((word) => !/^[A-Za-z_]+=/.test(word));
  const from = program < 0 ? [] : words.slice(program);
  return from.filter((word, index) => !/^\d?[<>]/.test(word) && !/^\d?[<>]+$/.test(from[index - 1] ?? ''));
}

function withoutHereDocuments(script: string): string {
  return script.replaceAll(/<<'?(\w+)'?\n[\s\S]*?^\1$/gm, '');
}

const unquoted = (word: string) => word.replaceAll(/"((?:\\.|[^"\\])*)"|'([^']*)'|\\(.)/g, '$1$2$3');

/** Of the run that a test is part of, and of where its components are. */
const OURS =
  /^(VITEST|npm_|GIT_|NODE_ENV$|NODE_OPTIONS$|NODE_COMPILE_CACHE$|EMAIL_EVENTS_|STACK$|SERVICES$|KAFKA_BROKERS$|CI$)/;

/**
 * The environment of a reader who has just cloned the repository: their machine's own Node, in any version, and their own
 * home. Nothing is fetched.
 */
export function environmentOfReader(home: string): { [name: string]: string | undefined } {
  const inherited = Object.entries(process.env).filter(([name]) => !OURS.test(name));
  const path = (process.env.PATH ?? '').split(delimiter).filter((folder) => !folder.includes('node_modules'));
  return {
    ...Object.fromEntries(inherited),
    HOME: home,
    PATH: path.join(delimiter),
    NO_COLOR: '1',
    npm_config_offline: 'true',
    npm_config_update_notifier: 'false',
  };
}

/** Targets of links and images within the repository. */
export function linksIn(text: string): string[] {
  const prose = text.replaceAll(FENCE, '').replaceAll(/`[^`\n]*`/g, '');
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target = '']) => target)
    .filter((target) => !/^[a-z]+:/.test(target));
}

/** Anchors as GitHub makes them of headings. */
export function headingAnchors(text: string): string[] {
  return [...text.replaceAll(FENCE, '').matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

/** Commands in words: lines of sh blocks, and code within text that begins with npm, npx or node. */
export function commandsIn(text: string): string[][] {
  const lines = shBlocks(text).flatMap(({ body }) => body.replaceAll('\\\n', ' ').split('\n'));
  const inline = [...text.replaceAll(FENCE, '').matchAll(/`((?:npm|npx|node) [^`\n]+)`/g)].map(
    ([, code = '']) => code,
  );
  return [...lines, ...inline]
    .map((line) => line.replace(/(^|\s)#.*$/, '').trim())
    .filter((line) => line !== '')
    .map((line) => line.split(/\s+/).filter((word) => !/^[A-Z_]+=/.test(word)));
}

/** Bodies of the sh blocks, in order. */
export const shellBlocks = (text: string): string[] => shBlocks(text).map(({ body }) => body.trim());

/** Codes in the first column of tables. */
export function tabledCodes(text: string): string[] {
  return [...text.matchAll(/^\| `([A-Z]+_[A-Z_]+)` +\|/gm)].map(([, code = '']) => code);
}

/** Everything in code marks that looks like an error code. */
export function codeMentions(text: string): string[] {
  const prose = text.replaceAll(FENCE, '');
  return [...prose.matchAll(/`([A-Z]+(?:_[A-Z]+)+)`/g)].map(([, code = '']) => code);
}
