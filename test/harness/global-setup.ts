import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { REPOSITORY } from '@email-events/cli/home';
import {
  createProvider,
  printProgress,
  type StackAddresses,
  selectProvider,
  wantedBrokers,
} from '@email-events/dev/stack';
import type { TestProject } from 'vitest/node';
import { forgetAddresses } from './isolation.ts';
import { pipelineTraces, sweep } from './sweep.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The stack that all stack tests of a run share. */
    stack: StackAddresses;
  }
}

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;
/** Data of several brokers are not those of one. */
const keptDir = (brokers: number) =>
  join(REPOSITORY, '.email-events', brokers === 1 ? 'test-stack' : `test-stack-${brokers}`);

/**
 * Runs once before the tests of the project `stack`: the provider that STACK names, on free ports and fresh data. With
 * STACK_REUSE=1 data is kept for the next run, and so are containers; a stack that outlives the run is swept.
 */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const name = selectProvider(process.env);
  const reuse = process.env.STACK_REUSE === '1';
  const outlives = reuse || name === 'external';
  const dataDir = reuse
    ? keptDir(wantedBrokers(process.env))
    : await mkdtemp(join(tmpdir(), 'email-events-test-'));
  const removeData = () => (reuse ? undefined : rm(dataDir, { recursive: true, force: true }));
  const abort = new AbortController();
  const callOff = () => abort.abort();
  // While it starts; afterwards the teardown stops it.
  for (const signal of SIGNALS) process.on(signal, callOff);
  try {
    const provider = createProvider(name, process.env);
    const stack = await provider.start({ dataDir, reuse, onProgress: printProgress, signal: abort.signal });
    try {
      if (name === 'external') await requireVacant(stack);
      else forgetAddresses();
      if (outlives) await sweep(stack);
    } catch (error) {
      await stack.stop();
      throw error;
    }
    const { kafka, registry, clickhouse } = stack;
    project.provide('stack', { kafka, registry, clickhouse });
    return async () => {
      try {
        if (outlives) await sweep(stack);
      } finally {
        await stack.stop();
        await removeData();
      }
    };
  } catch (error) {
    await removeData();
    throw error;
  } finally {
    for (const signal of SIGNALS) process.off(signal, callOff);
  }
}

/** Tests make and delete the pipeline's topics and subjects, but must not touch those of a pipeline in use. */
async function requireVacant(stack: StackAddresses): Promise<void> {
  if (process.env.STACK_RESET === '1') return;
  const traces = await pipelineTraces(stack);
  if (traces.length === 0) return;
  throw new Error(
    `the external stack holds ${traces.slice(0, 3).join(', ')}${traces.length > 3 ? ` and ${traces.length - 3} more` : ''}: ` +
      'tests would write into these and delete them. Give them a stack of their own; STACK_RESET=1 deletes what a ' +
      'pipeline has there',
  );
}
