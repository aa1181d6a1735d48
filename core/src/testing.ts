export { hunter, VAULT_OPEN, VAULT_PATHS, vaultData, vaultSchema } from './config/vault.fixture.ts';
export { Fetcher } from './kafka/consume/fetcher.ts';
export { readPartition } from './kafka/consume/read-partition.ts';
export { isFatal } from './kafka/errors.ts';
export { type PlacedMessage, publishAll } from './kafka/produce/plain-producer.ts';
export { Blame } from './kafka/transact/blame.ts';
export { Isolation } from './kafka/transact/isolation.ts';
export { Lane, type LaneOptions } from './kafka/transact/lane.ts';
export {
  type PartitionClient,
  type PartitionClientOptions,
  partitionClient,
} from './kafka/transact/partition-client.ts';
export { roundsOf } from './kafka/transact/rounds.ts';
export { MemoryClient, type Moment } from './kafka/transact/testing/memory-client.ts';
export { MemoryKafka, type MemoryMessage } from './kafka/transact/testing/memory-kafka.ts';
