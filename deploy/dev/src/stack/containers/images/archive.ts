import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { PassThrough, type Readable } from 'node:stream';
import { runTool } from '../../local/run-tool.ts';

/** A folder; or names in the context, and the files and folders that they stand for. */
export type ContextFiles = string | Readonly<Record<string, string>>;

/**
 * A build's context as a tar, made while it is sent: nothing is copied. Links are followed. Names that stand for files
 * elsewhere are links in a temporary folder, the only way that GNU's and BSD's tar both know.
 */
export async function openContext(files: ContextFiles, exclude: readonly string[]): Promise<ProgramStream> {
  const options = await ownershipOptions();
  const staging = typeof files === 'string' ? undefined : stage(files);
  const folder = staging ?? (files as string);
  const excluded = exclude.map((pattern) => `--exclude=${pattern}`);
  const tar = programStream('tar', [...excluded, ...options, '-C', folder, '-chf', '-', '.']);
  return {
    stream: tar.stream,
    async close() {
      const failure = await tar.close();
      if (staging) rmSync(staging, { recursive: true, force: true });
      return failure;
    },
  };
}

function stage(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'email-events-build-'));
  for (const [name, path] of Object.entries(files)) {
    const link = join(folder, name);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(resolve(path), link);
  }
  return folder;
}

let gnuTar: Promise<boolean> | undefined;

/** With GNU's tar, images do not depend on the umask and the user here: what is in them must be readable for any user. */
async function ownershipOptions(): Promise<string[]> {
  gnuTar ??= runTool('tar', ['--version']).then(({ stdout }) => stdout.includes('GNU tar'));
  return (await gnuTar) ? ['--mode=u+rwX,go+rX,go-w', '--owner=0', '--group=0', '--hard-dereference'] : [];
}

const TAIL = 4_000;

export interface ProgramStream {
  /** Ends only when the program has succeeded: half of its output must not look like all of it. */
  readonly stream: Readable;
  /** Ends the program, if it still runs. Resolves to why it has failed, if it has. */
  close(): Promise<Error | undefined>;
}

/** The standard output of a program as a stream, which fails with the end of its standard error. */
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
