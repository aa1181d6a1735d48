import { readFileSync } from 'node:fs';
import { type Document, isMap, isNode, isPair, LineCounter, parseDocument, type YAMLError } from 'yaml';
import { codeOf, PipelineError } from '../errors.ts';
import { variableOf } from './environment.ts';
import type { ConfigProblem } from './problems.ts';
import type { Env } from './secret.ts';

/** A file of the configuration as read, and where in it things are. */
export interface ReadFile {
  readonly data: unknown;
  /** Line of a key, from 1, or of the nearest section that is there; undefined if the file has nothing of it. */
  lineOf(path: readonly string[]): number | undefined;
}

/** Throws CONFIG_UNREADABLE, which quotes nothing: the lines around an error may hold a secret. */
export function readConfigFile(file: string): ReadFile {
  const text = textOf(file);
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const { errors } = document;
  if (errors.length > 0) throw unreadable(file, errors.map((error) => describe(error, lines)).join(', '));
  let data: unknown;
  try {
    data = document.toJS();
  } catch (cause) {
    throw unreadable(file, codeOf(cause));
  }
  return { data, lineOf: (path) => lineOf(document, lines, path) };
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw unreadable(file, codeOf(error));
  }
}

function unreadable(file: string, reason: string): PipelineError {
  return new PipelineError('CONFIG_UNREADABLE', 'fatal', `${file}: ${reason}`);
}

function describe({ code, pos: [at] }: YAMLError, lines: LineCounter): string {
  const { line, col } = lines.linePos(at);
  return `${code} at line ${line}, column ${col}`;
}

function lineOf(document: Document, lines: LineCounter, path: readonly string[]): number | undefined {
  let [node, offset]: [unknown, number | undefined] = [document.contents, undefined];
  for (const key of path) {
    const found = child(node, key);
    if (!found) break;
    [node, offset] = [found.value, found.offset];
  }
  return offset === undefined ? undefined : lines.linePos(offset).line;
}

/** The value of a key, or the item of a list, and where that begins. */
function child(node: unknown, key: string): { value: unknown; offset: number | undefined } | undefined {
  if (isMap(node)) {
    const pair = node.items.find((item) => String(isNode(item.key) ? item.key.toJSON() : item.key) === key);
    return pair && { value: pair.value, offset: offsetOf(pair.key) };
  }
  const items = (node as { items?: unknown[] } | null)?.items;
  const item = Array.isArray(items) ? items[Number(key)] : undefined;
  return item === undefined || isPair(item) ? undefined : { value: item, offset: offsetOf(item) };
}

const offsetOf = (node: unknown) => (isNode(node) ? node.range?.[0] : undefined);

/** Adds to each problem where it comes from: what the environment says goes before the file. */
export function placed<P extends ConfigProblem>(
  problems: readonly P[],
  file: ReadFile | undefined,
  env: Env,
): P[] {
  return problems.map((problem) => {
    const path = problem.path.split('.');
    for (let length = path.length; length > 0; length--) {
      const variable = variableOf(path.slice(0, length));
      if (env[variable] !== undefined) return { ...problem, variable };
    }
    const line = file?.lineOf(path);
    return line === undefined ? problem : { ...problem, line };
  });
}
