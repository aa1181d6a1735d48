import { expect, test } from 'vitest';
import { plainKafkajs } from '../../../../test/cluster/kafkajs/plain-kafkajs.ts';
import { after } from './sequences.ts';

interface EosManager {
  initProducerId(): Promise<void>;
  getSequence(topic: string, partition: number): number;
  updateSequence(topic: string, partition: number, by: number): void;
}

const LAST = 2 ** 31 - 1;

/** kafkajs's own count, as it is published. */
async function kafkajsCounts(first: number, records: number): Promise<number> {
  const create = plainKafkajs().require<(of: object) => EosManager>(
    'kafkajs/src/producer/eosManager/index.js',
  );
  const controller = { initProducerId: async () => ({ producerId: 1, producerEpoch: 0 }) };
  const cluster = {
    retry: {},
    refreshMetadataIfNecessary: async () => {},
    findControllerBroker: async () => controller,
  };
  const manager = create({ logger: { debug: () => {} }, cluster, transactional: false });
  await manager.initProducerId();
  manager.updateSequence('t', 0, first);
  manager.updateSequence('t', 0, records);
  return manager.getSequence('t', 0);
}

test('near the end kafkajs goes on with a number that no broker expects; ours with that of the brokers', async () => {
  expect([await kafkajsCounts(5, 10), after(5, 10)]).toEqual([15, 15]);
  expect([await kafkajsCounts(LAST - 1, 5), after(LAST - 1, 5)]).toEqual([0, 3]);
  expect([await kafkajsCounts(LAST - 1, 1), after(LAST - 1, 1)]).toEqual([0, LAST]);
});
