import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';

const ABANDONED_AFTER_MS = 3_600_000;

/**
 * A JVM's loaded classes, kept in a file: half of a broker's start is reading, checking and linking classes. The
 * first run that ends in order writes the file as it ends, which takes it some seconds; later ones map it.
 * A file that fits no longer, because a jar or the Java has changed, is ignored by the JVM.
 */
export interface ClassArchive {
  /** For the next start. */
  jvmOptions(): string[];
  /** For a program beside it with the same class path, which must not write the file. */
  readOnlyOptions(): string[];
  /** Whether the run that goes on is the one that writes the file. */
  readonly recording: boolean;
  /** After the end of that run; `inOrder` says that it was not killed in the middle of writing. */
  ended(inOrder: boolean): void;
}

/** `name` must change with the program's and with Java's version. */
export function classArchive(toolsDir: string, name: string): ClassArchive {
  const folder = join(toolsDir, 'classes');
  const file = join(folder, `${name}.jsa`);
  let recording: string | null = null;
  const readOnlyOptions = () => (existsSync(file) ? [`-XX:SharedArchiveFile=${file}`, '-Xlog:cds=off'] : []);
  return {
    readOnlyOptions,
    get recording() {
      return recording !== null;
    },
    jvmOptions() {
      if (existsSync(file)) return readOnlyOptions();
      mkdirSync(folder, { recursive: true });
      removeAbandoned(folder);
      recording = `${file}.tmp-${randomUUID()}`;
      return [`-XX:ArchiveClassesAtExit=${recording}`, '-Xlog:cds=off', '-Xlog:cds+dynamic=off'];
    },
    ended(inOrder) {
      if (recording && inOrder && existsSync(recording)) renameSync(recording, file);
      else if (recording) rmSync(recording, { force: true });
      recording = null;
    },
  };
}

/** What runs left behind whose parent was killed. */
function removeAbandoned(folder: string): void {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    const modified = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Number.POSITIVE_INFINITY;
    if (name.includes('.tmp-') && modified < Date.now() - ABANDONED_AFTER_MS) rmSync(path, { force: true });
  }
}
