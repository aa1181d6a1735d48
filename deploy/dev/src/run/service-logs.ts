import { closeSync, createReadStream, existsSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { OLD_LOGS, oldLog } from '../stack/index.ts';

/** A line of a service's log. */
export interface LogLine {
  readonly service: string;
  /** Epoch milliseconds; of a line that says no time that of the one before it. */
  readonly at: number;
  /** As it was written. */
  readonly text: string;
  /** Undefined: it is not of our logger, such as what Node says of a crash. */
  readonly fields: { readonly [name: string]: unknown } | undefined;
}

export interface LogSelection {
  readonly folder: string;
  readonly services: readonly string[];
  /** Epoch milliseconds; undefined: whenever. */
  readonly since: number | undefined;
  /** The newest so many. */
  readonly lines: number;
}

const fileOf = (folder: string, service: string) => join(folder, `${service}.log`);

/** The newest lines of these services, of the starts before the last one too, in the order of their times. */
export async function readLogs({ folder, services, since = 0, lines }: LogSelection): Promise<LogLine[]> {
  const found: LogLine[] = [];
  for (const service of services) {
    const file = fileOf(folder, service);
    const own: LogLine[] = [];
    for (let age = OLD_LOGS; age >= 0; age--) {
      const old = oldLog(file, age);
      // What was written last before that time has nothing of later.
      if (!existsSync(old) || statSync(old).mtimeMs < since) continue;
      const parse = lineParser(service);
      for await (const text of createInterface({ input: createReadStream(old, 'utf8') })) {
        const line = parse(text);
        if (line.at < since) continue;
        own.push(line);
        // Now and then, so that a log of any size takes no more room than what is shown of it.
        if (own.length > 2 * lines + 1_000) own.splice(0, own.length - lines);
      }
    }
    found.push(...own.slice(-lines));
  }
  // Stable: lines of one moment stay in the order in which their service wrote them.
  return found.sort((a, b) => a.at - b.at).slice(-lines);
}

/** What these services write from now on, and the logs that they begin anew. */
export class LogFollower {
  private readonly files: FollowedFile[];

  constructor({ folder, services }: Pick<LogSelection, 'folder' | 'services'>) {
    this.files = services.map((service) => new FollowedFile(service, fileOf(folder, service)));
  }

  /** What has come since the last call, in the order of its times. */
  next(): LogLine[] {
    return this.files.flatMap((file) => file.next()).sort((a, b) => a.at - b.at);
  }

  close(): void {
    for (const file of this.files) file.close();
  }
}

const CHUNK_BYTES = 65_536;

class FollowedFile {
  private readonly service: string;
  private readonly path: string;
  private parse: (text: string) => LogLine;
  private open: { readonly fd: number; position: number } | undefined;
  private rest = Buffer.alloc(0);

  constructor(service: string, path: string) {
    this.service = service;
    this.path = path;
    this.parse = lineParser(service);
    if (!existsSync(path)) return;
    const fd = openSync(path, 'r');
    this.open = { fd, position: fstatSync(fd).size };
  }

  next(): LogLine[] {
    const lines = this.read();
    if (!this.isReplaced()) return lines;
    this.close();
    this.parse = lineParser(this.service);
    this.open = { fd: openSync(this.path, 'r'), position: 0 };
    return [...lines, ...this.read()];
  }

  close(): void {
    if (this.open) closeSync(this.open.fd);
    this.open = undefined;
    this.rest = Buffer.alloc(0);
  }

  /** Whole lines only: the end of one may not have been written yet. */
  private read(): LogLine[] {
    const { open } = this;
    if (!open) return [];
    const chunk = Buffer.alloc(CHUNK_BYTES);
    for (let bytes = -1; bytes !== 0; ) {
      bytes = readSync(open.fd, chunk, 0, CHUNK_BYTES, open.position);
      open.position += bytes;
      this.rest = Buffer.concat([this.rest, chunk.subarray(0, bytes)]);
    }
    const end = this.rest.lastIndexOf(0x0a) + 1;
    const whole = this.rest.subarray(0, end).toString();
    this.rest = this.rest.subarray(end);
    return whole.split('\n').slice(0, -1).map(this.parse);
  }

  private isReplaced(): boolean {
    const now = statSync(this.path, { throwIfNoEntry: false });
    return now !== undefined && (!this.open || fstatSync(this.open.fd).ino !== now.ino);
  }
}

function lineParser(service: string): (text: string) => LogLine {
  let at = 0;
  return (text) => {
    const fields = fieldsOf(text);
    const time = Date.parse(String(fields?.time));
    if (!Number.isNaN(time)) at = time;
    return { service, at, text, fields };
  };
}

function fieldsOf(text: string): LogLine['fields'] {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === 'object' && parsed !== null ? (parsed as LogLine['fields']) : undefined;
  } catch {
    return undefined;
  }
}
