import { pino } from 'pino';
import { describe, expect, onTestFinished, test } from 'vitest';
import { FakeTransport } from '../testing/fake-transport.ts';
import { GroupCommitProducer } from './group-commit.ts';
import type { PublishRecord } from './transport.ts';

const record = (): PublishRecord => ({ value: Buffer.alloc(100), headers: {} });

async function started(fake = new FakeTransport()) {
  const producer = new GroupCommitProducer({
    transport: fake,
    log: pino({ level: 'silent' }),
    publishTimeoutMs: 20_000,
    maxWaitingBytes: 10_000_000,
  });
  onTestFinished(async () => {
    for (const { answer, batches } of fake.sends) answer.resolve(batches.map(() => 0));
    await producer.close();
  });
  await producer.start();
  return { producer, fake };
}

describe('a record that belongs to a partition', () => {
  const pinned = (partition: number): PublishRecord => ({ ...record(), partition });
  const placed = (fake: FakeTransport) =>
    fake.sends.map(({ batches }) => batches.map(({ partition, records }) => [partition, records.length]));

  test('goes there, with others that go anywhere', async () => {
    const { producer, fake } = await started();
    const published = [pinned(2), record(), pinned(2), pinned(1)].map((one) => producer.publish(one));
    await fake.sent(1);
    expect(placed(fake)).toEqual([
      [
        [2, 2],
        [0, 1],
        [1, 1],
      ],
    ]);
    fake.acknowledge(0);
    expect((await Promise.all(published)).map(({ partition }) => partition)).toEqual([2, 0, 2, 1]);
  });

  test('waits for the broker that leads it, and keeps no other record waiting', async () => {
    const fake = new FakeTransport();
    fake.routes = [
      { node: 1, partitions: [0] },
      { node: 2, partitions: [1] },
    ];
    const { producer } = await started(fake);
    const first = [pinned(1), pinned(0)].map((one) => producer.publish(one));
    await fake.sent(2);
    expect(new Set(fake.nodes())).toEqual(new Set([1, 2]));
    const second = [producer.publish(pinned(1)), producer.publish(record())];
    fake.acknowledge(fake.nodes().indexOf(1));
    await fake.sent(3);
    expect(fake.nodes()[2]).toBe(1);
    expect(placed(fake)[2]).toEqual([[0, 1]]);
    fake.acknowledge(fake.nodes().indexOf(2));
    await fake.sent(4);
    expect(placed(fake)[3]).toEqual([[1, 1]]);
    fake.acknowledge(2);
    fake.acknowledge(3);
    await Promise.all([...first, ...second]);
  });

  test('goes elsewhere while no broker leads that one', async () => {
    const { producer, fake } = await started();
    const published = producer.publish(pinned(7));
    await fake.sent(1);
    expect(placed(fake)).toEqual([[[0, 1]]]);
    fake.acknowledge(0);
    await published;
  });
});
