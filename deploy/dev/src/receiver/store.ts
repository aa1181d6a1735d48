import { mkdir, open, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

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

/** A reason as the pipeline sends it. */
export interface ReceivedReason {
  readonly reason: string;
  readonly scope: string;
  readonly since: number;
  readonly esp: string;
  readonly source: string;
  readonly event_id: string;
  readonly detail: string | null;
}

/** A recipient's whole state as the pipeline posts it. Times are epoch milliseconds. */
export interface ReceivedState {
  readonly recipient: string;
  readonly suppressed: boolean;
  readonly reasons: readonly ReceivedReason[];
  readonly changed_at: number;
  readonly event_id: string;
  /**
   * When the pipeline recorded it: the version of a state without a revision. Not `changed_at`, since an older event that arrives late
   * leads to a newer state.
   */
  readonly recorded_at: number;
  /** Orders the states of a recipient. Absent: the state is from before there were revisions. */
  readonly revision?: number;
}

/** The state, or undefined if the value is none. Takes no field on trust: a signature proves who wrote it, not what. */
export function readState(value: unknown): ReceivedState | undefined {
  if (!isObject(value)) return undefined;
  const { recipient, suppressed, reasons, changed_at, event_id, recorded_at, revision = 0 } = value;
  const valid =
    isText(recipient) &&
    recipient !== '' &&
    typeof suppressed === 'boolean' &&
    Array.isArray(reasons) &&
    reasons.every(isReason) &&
    isTime(changed_at) &&
    isText(event_id) &&
    (recorded_at === undefined || isTime(recorded_at)) &&
    isTime(revision) &&
    revision >= 0;
  if (!valid) return undefined;
  return {
    ...{ recipient, suppressed, reasons, changed_at, event_id, recorded_at: recorded_at ?? changed_at },
    ...(revision > 0 && { revision }),
  };
}

function isReason(value: unknown): value is ReceivedReason {
  if (!isObject(value)) return false;
  const { reason, scope, since, esp, source, event_id, detail } = value;
  return (
    [reason, scope, esp, source, event_id].every(isText) &&
    isTime(since) &&
    (detail === null || isText(detail))
  );
}

const isObject = (value: unknown): value is { readonly [key: string]: unknown } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isText = (value: unknown): value is string => typeof value === 'string';
const isTime = (value: unknown): value is number => Number.isSafeInteger(value);

/** Negative: a is older than b. The later of two equal ones is not older. */
export function compareVersions(a: ReceivedState, b: ReceivedState): number {
  // The clocks of two writers may differ; revisions grow all the same.
  if (a.revision !== undefined && b.revision !== undefined) return a.revision - b.revision;
  return a.recorded_at - b.recorded_at;
}

export interface ReceiverStats {
  /** Calls that were genuine and readable, since the start. received = applied + duplicates + stale. */
  readonly received: number;
  readonly applied: number;
  /** The state that was already held. */
  readonly duplicates: number;
  /** Older than the state held: not applied. */
  readonly stale: number;
  /** Calls refused: signature, or not a state. */
  readonly rejected: number;
  /** Recipients with a state, earlier runs included. */
  readonly distinctRecipients: number;
  /** Of these, those to whom nothing may be sent. */
  readonly suppressed: number;
}

export class Counts {
  private readonly counts = { applied: 0, duplicate: 0, stale: 0, rejected: 0 };

  add(outcome: Applied | 'rejected'): void {
    this.counts[outcome]++;
  }

  stats(store: StateStore): ReceiverStats {
    const { applied, duplicate, stale, rejected } = this.counts;
    let suppressed = 0;
    for (const state of store.all()) if (state.suppressed) suppressed++;
    const received = applied + duplicate + stale;
    const distinctRecipients = store.size;
    return { received, applied, duplicates: duplicate, stale, rejected, distinctRecipients, suppressed };
  }
}
