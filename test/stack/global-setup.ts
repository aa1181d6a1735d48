import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createProvider,
  printProgress,
  type StackAddresses,
  selectProvider,
} from '@email-events/deploy/stack';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  interface ProvidedContext {
    /** The stack that all stack tests of a run share. */
    stack: StackAddresses;
  }
}

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** Runs once before the tests of the project `stack`: fresh data, free ports, the provider that STACK names. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const dataDir = await mkdtemp(join(tmpdir(), 'email-events-test-'));
  const abort = new AbortController();
  const callOff = () => abort.abort();
  // While it starts; afterwards the teardown stops it.
  for (const signal of SIGNALS) process.on(signal, callOff);
  try {
    const provider = createProvider(selectProvider(process.env), process.env);
    const stack = await provider.start({ dataDir, onProgress: printProgress, signal: abort.signal });
    const { kafka, registry, clickhouse } = stack;
    project.provide('stack', { kafka, registry, clickhouse });
    return async () => {
      await stack.stop();
      await rm(dataDir, { recursive: true, force: true });
    };
  } catch (error) {
    await rm(dataDir, { recursive: true, force: true });
    throw error;
  } finally {
    for (const signal of SIGNALS) process.off(signal, callOff);
  }
}
