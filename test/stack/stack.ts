import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Secret } from '@email-events/core';
import {
  createProvider,
  type Stack,
  type StackAddresses,
  type StackOptions,
  selectBreakable,
} from '@email-events/dev/stack';
import type { ClickHouseAddress } from '@email-events/sink-clickhouse';
import { inject } from 'vitest';
import { forgetAddresses } from './environment.ts';
// For its declaration of what the set-up provides.

import { removePipelineTopics } from './sweep.ts';
import { unique, uniqueDatabase } from './unique.ts';

export { waitFor } from './wait.ts';

export interface SharedStack extends StackAddresses {
  /** A name that no other test uses: for topics, consumer groups, subjects. */
  unique(name: string): string;
  /** The same, fit for a ClickHouse database. */
  uniqueDatabase(name: string): string;
  /** Where that database is, for whoever connects to it directly. */
  clickhouseAt(database: string): ClickHouseAddress;
}

/** The stack that the run's set-up started. Tests share it, so they make their own topics, groups and databases. */
export function useStack(): SharedStack {
  const stack = inject('stack');
  const { url, username = 'default', password } = stack.clickhouse;
  const secret = password === undefined ? {} : { password: new Secret(password) };
  const clickhouseAt = (database: string) => ({ url, username, database, ...secret });
  return { ...stack, unique, uniqueDatabase, clickhouseAt };
}

/** What vitest hands to a test; enough of it to clean up afterwards. */
export interface TestScope {
  onTestFinished(clean: () => Promise<void>): void;
}

/** A scope that outlives a test: for what a whole file shares. Call `end` after all of them. */
export function fileScope(): { readonly scope: TestScope; end(): Promise<void> } {
  const cleaners: (() => Promise<void>)[] = [];
  return {
    scope: { onTestFinished: (clean) => void cleaners.push(clean) },
    async end() {
      const failures: unknown[] = [];
      // One that fails keeps nothing else from being cleaned up.
      for (const clean of cleaners.reverse()) await clean().catch((error) => void failures.push(error));
      if (failures.length > 0) throw failures[0];
    },
  };
}

/**
 * The shared stack without the topics and subjects of the pipeline, for tests that make them: their names are fixed.
 * Files run one after the other, so nobody else is at work there. Groups and databases can have names of their own, and
 * must, since what they hold would be of an earlier test. Topics and subjects are removed when the test is finished.
 */
export async function vacantStack(test: TestScope): Promise<SharedStack> {
  const stack = useStack();
  await removePipelineTopics(stack);
  test.onTestFinished(() => removePipelineTopics(stack));
  return stack;
}

/**
 * A stack of the test's own on fresh data, for tests that break components or put a proxy before the broker. Stopped and
 * removed when the test is finished. Someone else's components cannot be broken: these are local ones then.
 */
export async function startOwnStack(
  test: TestScope,
  options: Pick<StackOptions, 'advertise' | 'brokers'> = {},
): Promise<Stack> {
  forgetAddresses();
  const dataDir = await mkdtemp(join(tmpdir(), 'email-events-own-'));
  let stack: Stack | undefined;
  test.onTestFinished(async () => {
    await stack?.stop();
    await rm(dataDir, { recursive: true, force: true });
  });
  stack = await createProvider(selectBreakable(process.env), process.env).start({ ...options, dataDir });
  return stack;
}
