import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SpooledRecord } from '../spool-file.ts';
import type { SpoolNote } from '../spool-store.ts';
import { SpoolStore } from '../spool-store.ts';

export interface TestScope {
  onTestFinished(clean: () => void): void;
}

export function temporaryFolder(test: TestScope): string {
  const dir = mkdtempSync(join(tmpdir(), 'email-events-spool-'));
  test.onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

export interface OpenStore {
  readonly store: SpoolStore;
  readonly notes: SpoolNote[];
  codes(): (string | undefined)[];
  /** Lets so many milliseconds pass. */
  pass(ms: number): void;
}

export function openStore(test: TestScope, dir: string, maxBytes = 64 * 1_048_576): OpenStore {
  const notes: SpoolNote[] = [];
  let now = 1_000_000;
  const store = new SpoolStore({ dir, maxBytes, note: (note) => notes.push(note), now: () => now });
  test.onTestFinished(() => store.close());
  return {
    store,
    notes,
    codes: () => notes.map(({ code }) => code).filter((code) => code !== undefined),
    pass: (ms) => {
      now += ms;
    },
  };
}

/** A record that is recognized by its name and whose every byte is known. */
export function recordOf(name: string, bytes: number): SpooledRecord {
  return { headers: JSON.stringify({ 'request-id': name, source: 'shop' }), value: bodyOf(name, bytes) };
}

export function bodyOf(name: string, bytes: number): Buffer {
  return Buffer.alloc(bytes, `${name}\xff\x00`, 'latin1');
}

export function nameOf({ headers }: SpooledRecord): string {
  return (JSON.parse(headers) as { 'request-id': string })['request-id'];
}

/** Takes everything out, as a drain does whose Kafka never fails. */
export function drainAll(store: SpoolStore, maxRecords = 7): SpooledRecord[] {
  const drained: SpooledRecord[] = [];
  for (let batch = store.next(maxRecords, 1e9); batch; batch = store.next(maxRecords, 1e9)) {
    drained.push(...batch.records);
    store.settle(
      batch.spool,
      batch.records.map(({ seq }) => seq),
      [],
    );
  }
  return drained;
}
