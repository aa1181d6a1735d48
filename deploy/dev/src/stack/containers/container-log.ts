import { createWriteStream, mkdirSync, readFileSync, renameSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { finished } from 'node:stream/promises';
import type { Engine } from './engine.ts';

const TAIL_LINES = 30;
const ROTATE_BYTES = 8 * 1024 * 1024;

type Docker = Engine['docker'];
type Container = ReturnType<Docker['getContainer']>;

/** Copies what a container says into a file, from one start to the end that follows. */
export class ContainerLog {
  readonly file: string;
  readonly #docker: Docker;
  #copied: Promise<void> = Promise.resolve();
  #source: (NodeJS.ReadableStream & { destroy?(): void }) | undefined;

  constructor(docker: Docker, file: string) {
    this.#docker = docker;
    this.file = file;
  }

  /** `since`: of a container that ran before, when it was started this time. */
  async follow(container: Container, since?: Date): Promise<void> {
    mkdirSync(dirname(this.file), { recursive: true });
    const size = statSync(this.file, { throwIfNoEntry: false })?.size ?? 0;
    if (size > ROTATE_BYTES) renameSync(this.file, `${this.file}.1`);
    const source = await container.logs({
      follow: true,
      stdout: true,
      stderr: true,
      since: since === undefined ? 0 : since.getTime() / 1_000,
    });
    this.#source = source;
    const target = createWriteStream(this.file, { flags: 'a' });
    // A full disk costs the log, and nothing else.
    target.on('error', () => {});
    // Without a terminal the two outputs come in frames of one stream.
    this.#docker.modem.demuxStream(source, target, target);
    this.#copied = finished(source)
      .catch(() => {})
      .then(() => new Promise((resolve) => target.end(resolve)));
  }

  /** Resolves when all that the container said before it ended is in the file. */
  copied(): Promise<void> {
    return this.#copied;
  }

  /** Copies no more of it. */
  release(): void {
    this.#source?.destroy?.();
  }

  tail(): string {
    try {
      return readFileSync(this.file, 'utf8').trimEnd().split('\n').slice(-TAIL_LINES).join('\n');
    } catch {
      return '(it said nothing)';
    }
  }
}
