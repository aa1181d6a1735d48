import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { type Lock, tryLock } from '@email-events/core/process-lock';
import type { HomePaths } from './home.ts';
export type ServiceState = 'stopped' | 'starting' | 'running' | 'restarting' | 'failed';

/** The running pipeline writes this for commands in other terminals. Valid only while it holds the run lock. */
export interface RunState {
  /** The supervising process: SIGTERM stops everything in order. */
  readonly pid: number;
  readonly phase: 'starting' | 'running' | 'stopping';
  /** ISO 8601. */
  readonly startedAt: string;
  readonly configFile: string;
  /** PEM file that HTTPS clients of the URLs have to trust; null: what they know is enough. */
  readonly certificate: string | null;
  readonly urls: PipelineUrls | null;
  readonly services: readonly ServiceStatus[];
  readonly components: readonly ComponentStatus[];
}

export interface ServiceStatus {
  readonly name: string;
  readonly state: ServiceState;
  /** Null while it has none, and of a container. */
  readonly pid: number | null;
  readonly restarts: number;
  /** Of /healthz, /readyz and /metrics; null: it has none. */
  readonly adminUrl: string | null;
  readonly logFile: string;
}

export interface ComponentStatus {
  readonly name: string;
  readonly state: string;
  readonly pid: number | null;
  readonly address: string;
  readonly logFile: string;
}

export interface PipelineUrls {
  readonly ingress: string;
  /** Webhook of each source. */
  readonly webhooks: { readonly [source: string]: string };
  readonly kafka: string;
  readonly registry: string;
  readonly clickhouse: string;
  /** Null: there is no CRM. */
  readonly receiver: string | null;
  /** Null: there are no look-ups. */
  readonly lookup: string | null;
}

export function writeState(paths: HomePaths, state: RunState): void {
  mkdirSync(dirname(paths.stateFile), { recursive: true });
  const partial = `${paths.stateFile}.partial`;
  writeFileSync(partial, `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600 });
  renameSync(partial, paths.stateFile);
}

export function clearState(paths: HomePaths): void {
  rmSync(paths.stateFile, { force: true });
}

/**
 * The pipeline that runs on these paths now, or null. The lock says so, which the operating system takes back from a
 * dead process: a pid in a file could belong to another program by now.
 */
export function readState(paths: HomePaths): RunState | null {
  let text: string;
  try {
    text = readFileSync(paths.stateFile, 'utf8');
  } catch {
    return null;
  }
  const lock = tryLock(paths.lockFile);
  if (lock === null) return JSON.parse(text) as RunState;
  lock.release();
  return null;
}

/** Null if a pipeline runs on these paths. */
export function lockRun(paths: HomePaths): Lock | null {
  return tryLock(paths.lockFile);
}
