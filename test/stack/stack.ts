import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createProvider,
  type Stack,
  type StackAddresses,
  type StackOptions,
} from '@email-events/deploy/stack';
import { inject } from 'vitest';
// For its declaration of what the set-up provides.
import type {} from './global-setup.ts';

export interface SharedStack extends StackAddresses {
  /** A name that no other test uses: for topics, consumer groups, subjects. */
  unique(name: string): string;
  /** The same, fit for a ClickHouse database. */
  uniqueDatabase(name: string): string;
}

/** The stack that the run's set-up started. Tests share it, so they make their own topics, groups and databases. */
export function useStack(): SharedStack {
  return { ...inject('stack'), unique, uniqueDatabase };
}

/** What vitest hands to a test; enough of it to clean up afterwards. */
export interface TestScope {
  onTestFinished(clean: () => Promise<void>): void;
}

/**
 * A stack of the test's own on fresh data, for tests that kill brokers or need the pipeline's fixed topic names.
 * Stopped and removed when the test is finished. Always local, since others' components cannot be broken.
 */
export async function startOwnStack(
  test: TestScope,
  options: Pick<StackOptions, 'advertise'> = {},
): Promise<Stack> {
  const dataDir = await mkdtemp(join(tmpdir(), 'email-events-own-'));
  let stack: Stack | undefined;
  test.onTestFinished(async () => {
    await stack?.stop();
    await rm(dataDir, { recursive: true, force: true });
  });
  stack = await createProvider('local', process.env).start({ ...options, dataDir });
  return stack;
}

/** Polls until the condition holds; an error counts as "not yet" and is the cause if it never does. */
export async function waitFor(what: string, condition: () => unknown, deadlineMs = 30_000): Promise<void> {
  const deadline = performance.now() + deadlineMs;
  let last: unknown;
  while (performance.now() < deadline) {
    try {
      if (await condition()) return;
      last = undefined;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(`not within ${deadlineMs} ms: ${what}`, { cause: last });
}

function unique(name: string): string {
  return `${name}-${randomBytes(5).toString('hex')}`;
}

function uniqueDatabase(name: string): string {
  return unique(name).replaceAll(/[^a-z0-9_]/g, '_');
}
