import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readRunningStack, type StackProvider } from '@email-events/dev/stack';
import { expect, onTestFinished, test } from 'vitest';
import { Cluster } from './cluster.ts';
import { append, valuesOf } from './records.ts';

export interface BrokersUnderTest {
  readonly provider: StackProvider;
  /** Folder of the first broker's log below the data directory; of the others it has their name in place of `kafka`. */
  readonly kafkaLog: string;
}

/** The promises of every provider that can start several brokers. */
export function describeBrokers({ provider, kafkaLog }: BrokersUnderTest): void {
  const start = async (dataDir: string) => {
    const stack = await provider.startKafka({ dataDir, brokers: 3 });
    onTestFinished(() => stack.stop());
    return new Cluster(stack);
  };

  test('of three brokers one may be killed, and all of them end in order', async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'brokers-contract-'));
    onTestFinished(() => rm(dataDir, { recursive: true, force: true }));
    const first = await start(dataDir);
    expect(first.stack.components.map(({ name }) => name)).toEqual(['kafka', 'kafka-2', 'kafka-3']);
    // Not the components of a pipeline, so no command in another terminal is to take them for these.
    expect(readRunningStack(dataDir)).toBeNull();
    await first.createTopic('kept', [[2, 3, 1]]);

    await first.broker(2).kill();
    // Its place is taken when its session has ended.
    await append(first, 'kept', 0, 'while one is away');
    expect(await valuesOf(first, 'kept', 0)).toContain('while one is away');
    await first.broker(2).start();
    await first.awaitInSync();

    await first.stack.stop();
    const closed = (name: string) =>
      existsSync(join(dataDir, kafkaLog.replace(/kafka/, name), '.kafka_cleanshutdown'));
    // A broker that was told later than the others finds no controller for an orderly stop, and is killed; that loses nothing.
    expect(first.stack.components.filter(({ name }) => closed(name)).length).toBeGreaterThanOrEqual(2);

    await expect(provider.startKafka({ dataDir })).rejects.toMatchObject({ code: 'STACK_BROKERS_CHANGED' });
    const second = await start(dataDir);
    expect(second.brokers).toEqual(first.brokers);
    await second.awaitInSync();
    expect(await valuesOf(second, 'kept', 0)).toContain('while one is away');
  });
}
