import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { PassThrough, type Readable } from 'node:stream';
import { runTool } from '../../local/run-tool.ts';

/** A folder; or names in the context, and the files and folders that they stand for. */
export type ContextFiles = string | Readonly<Record<string, string>>;

export interface ContextArchive {
  /** A tar. Fails with what tar said if a file cannot be read. */
  readonly stream: Readable;
  /** Ends what writes the tar, and removes what it needed. */
  close(): void;
}

/**
 * A build's context as a tar, made while it is sent: nothing is copied. Links are followed. Names that stand for files
 * elsewhere are links in a folder of their own, as tar has no other way that GNU's and BSD's agree on.
 */
export async function openContext(files: ContextFiles, exclude: readonly string[]): Promise<ContextArchive> {
  const staging = typeof files === 'string' ? undefined : stage(files);
  const folder = staging ?? (files as string);
  const args = [
    ...exclude.map((pattern) => `--exclude=${pattern}`),
    ...(await ownershipOptions()),
    ...['-C', folder, '-chf', '-', '.'],
  ];
  const tar = spawn('tar', args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const stream = new PassThrough();
  let said = '';
  tar.stderr.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-2_000);
  });
  // Not ended before the exit code is known: half a tar must not look like a whole one.
  tar.stdout.pipe(stream, { end: false });
  tar.once('error', (error) => stream.destroy(error));
  tar.once('close', (code) => {
    if (code === 0) stream.end();
    else stream.destroy(new Error(`tar cannot read the files of the build:\n${said.trim()}`));
  });
  return {
    stream,
    close() {
      tar.kill();
      stream.destroy();
      if (staging) rmSync(staging, { recursive: true });
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
  gnuTar ??= runTool('tar', ['--version']).then(({ output }) => output.includes('GNU tar'));
  return (await gnuTar) ? ['--mode=u+rwX,go+rX,go-w', '--owner=0', '--group=0', '--hard-dereference'] : [];
}
