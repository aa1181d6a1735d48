import { clearLine, clearScreenDown, cursorTo } from 'node:readline';
import { formatCount } from '@email-events/core/wording';
import pc from 'picocolors';
import { forTerminal, jsonText, visible } from './terminal.ts';

export { counted, formatCount } from '@email-events/core/wording';

/** How far long work is: in a terminal one line, which is gone once something else is written; elsewhere a line each time. */
export class ProgressLine {
  readonly #stream: Terminal;
  #shown = false;

  constructor(stream: Terminal) {
    this.#stream = stream;
  }

  show(text: string): void {
    const line = visible(text);
    if (!this.#stream.isTTY) {
      this.#stream.write(`${pc.dim(line)}\n`);
      return;
    }
    this.clear();
    // A line that wraps could not be taken back.
    this.#stream.write(pc.dim(line.slice(0, Math.max(0, this.#stream.columns - 1)).toWellFormed()));
    this.#shown = true;
  }

  clear(): void {
    if (!this.#shown) return;
    const stream = this.#stream as NodeJS.WriteStream;
    cursorTo(stream, 0);
    clearLine(stream, 0);
    this.#shown = false;
  }
}

const line = new ProgressLine(process.stderr);

/** How far long work is; gone, in a terminal, once anything else is written. */
export const progress = (text: string): void => line.show(text);
export const clearProgress = (): void => line.clear();

/** The only places that write to standard output and standard error. */
export function print(text: string): void {
  line.clear();
  process.stdout.write(`${forTerminal(text)}\n`);
}
export const note = (text: string): void => echo(`${text}\n`);
/** Shows text that a child process has written, as it comes. */
export function echo(text: string): void {
  line.clear();
  process.stderr.write(forTerminal(text));
}
export const printJson = (value: unknown): void => print(jsonText(value, 2));
export const printJsonLine = (value: unknown): void => print(jsonText(value));
/** What is printed next begins at the top, in a terminal; elsewhere it follows what was printed. */
export function clearScreen(): void {
  line.clear();
  if (!process.stdout.isTTY) return;
  cursorTo(process.stdout, 0, 0);
  clearScreenDown(process.stdout);
}
/** Resolves when it may write more. */
export function printLines(lines: string): Promise<void> {
  line.clear();
  return new Promise((resolve, reject) => {
    process.stdout.write(forTerminal(lines), (error) => (error ? reject(error) : resolve()));
  });
}

/** A time in a table: UTC, to the second. Takes epoch milliseconds or ISO 8601; what is neither is shown as it is. */
export function formatTime(time: number | string): string {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? String(time) : date.toISOString().slice(0, 19).replace('T', ' ');
}

type Cell = string | number;

/** Renders a table without rules, its columns as wide as their content, numbers to the right. A row is always one line. */
export async function renderTable(
  head: readonly string[],
  rows: readonly (readonly Cell[])[],
): Promise<string> {
  const { default: Table } = await import('cli-table3');
  const { default: pc } = await import('picocolors');
  const rightAligned = (column: number) =>
    rows.length > 0 && rows.every((row) => typeof row[column] === 'number' || row[column] === '');
  const table = new Table({
    head: head.map((text) => pc.dim(text)),
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 2, compact: true },
    colAligns: head.map((_, column) => (rightAligned(column) ? 'right' : 'left')),
    chars: NO_LINES,
  });
  for (const row of rows)
    table.push(row.map((cell) => (typeof cell === 'number' ? formatCount(cell) : forCell(cell))));
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}

const forCell = (text: string) => forTerminal(text).replaceAll('\n', '\\n').replaceAll('\t', '\\t');

const NO_LINES = Object.fromEntries(
  [
    'top',
    'top-mid',
    'top-left',
    'top-right',
    'bottom',
    'bottom-mid',
    'bottom-left',
    'bottom-right',
    'left',
    'left-mid',
    'mid',
    'mid-mid',
    'right',
    'right-mid',
    'middle',
  ].map((name) => [name, '']),
);

/** The part of a terminal stream that a progress line uses. */
type Terminal = Pick<NodeJS.WriteStream, 'write' | 'isTTY' | 'columns'>;
