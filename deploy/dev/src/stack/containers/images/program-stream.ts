import { spawn } from 'node:child_process';
import { PassThrough, type Readable } from 'node:stream';

const TAIL = 4_000;

export interface ProgramStream {
  /** Ends only when the program has succeeded: half of its output must not look like all of it. */
  readonly stream: Readable;
  /** Ends the program, if it still runs. Resolves to why it has failed, if it has. */
  close(): Promise<Error | undefined>;
}

/** What a program prints, as a stream. Fails with the end of what it said on standard error. */
export function programStream(file: string, args: readonly string[]): ProgramStream {
  const program = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const stream = new PassThrough();
  let said = '';
  program.stderr.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-TAIL);
  });
  program.stdout.pipe(stream, { end: false });
  const ended = new Promise<Error | undefined>((resolve) => {
    program.once('error', resolve);
    program.once('close', (code) => {
      resolve(code === 0 || code === null ? undefined : new Error(`${file} failed:\n${said.trim()}`));
      if (code === 0) stream.end();
    });
  });
  ended.then((failure) => failure && stream.destroy(failure));
  return {
    stream,
    close() {
      program.kill();
      stream.destroy();
      return ended;
    },
  };
}
