import { clearLine, cursorTo } from 'node:readline';
import pc from 'picocolors';
import { visible } from './terminal.ts';

/** What a progress line needs of a stream. */
type Terminal = Pick<NodeJS.WriteStream, 'write' | 'isTTY' | 'columns'>;

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
