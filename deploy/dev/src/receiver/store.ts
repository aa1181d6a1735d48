import { mkdir, open, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { compareVersions, type ReceivedState, readState } from './state.ts';

export type Applied = 'applied' | 'duplicate' | 'stale';

/** Newest state of each recipient, in memory and in a JSON-lines file. */
export interface StateStore {
  /** Resolves when the state is in the file. A state older than the one held changes nothing. */
  apply(state: ReceivedState): Promise<Applied>;
  get(recipient: string): ReceivedState | undefined;
  all(): Iterable<ReceivedState>;
  readonly size: number;
  close(): Promise<void>;
}

const FILE = 'suppressions.jsonl';

export async function openStore(dataDir: string): Promise<StateStore> {
  await mkdir(dataDir, { recursive: true });
  const path = join(dataDir, FILE);
  const states = await load(path);
  // One line a recipient, whole: drops what was superseded and a last line that a crash cut short.
  await writeFile(`${path}.new`, [...states.values()].map(lineOf).join(''), { mode: 0o600 });
  await rename(`${path}.new`, path);
  const file = await open(path, 'a');
  let written: Promise<unknown> = Promise.resolve();

  return {
    async apply(state) {
      const held = states.get(state.recipient);
      const order = held ? compareVersions(state, held) : 1;
      if (order < 0) return 'stale';
      if (order === 0 && held?.event_id === state.event_id) return 'duplicate';
      states.set(state.recipient, state);
      const write = written.then(() => file.appendFile(lineOf(state)));
      written = write.catch(() => undefined);
      await write;
      return 'applied';
    },
    get: (recipient) => states.get(recipient),
    all: () => states.values(),
    get size() {
      return states.size;
    },
    async close() {
      await written;
      await file.close();
    },
  };
}

const lineOf = (state: ReceivedState) => `${JSON.stringify(state)}\n`;

async function load(path: string): Promise<Map<string, ReceivedState>> {
  const states = new Map<string, ReceivedState>();
  for (const line of (await readIfThere(path)).split('\n')) {
    const state = parseLine(line);
    const held = state && states.get(state.recipient);
    if (state && (!held || compareVersions(state, held) >= 0)) states.set(state.recipient, state);
  }
  return states;
}

function parseLine(line: string): ReceivedState | undefined {
  try {
    return readState(JSON.parse(line));
  } catch {
    return undefined;
  }
}

async function readIfThere(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}
