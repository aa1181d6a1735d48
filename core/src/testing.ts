export { hunter, VAULT_OPEN, VAULT_PATHS, vaultData, vaultOf, vaultShape } from './config/vault.fixture.ts';
export { type PlacedMessage, publishAll, roundsOf } from './kafka/client/produce.ts';
export { isFatal } from './kafka/errors.ts';
export { Fetcher } from './kafka/read/fetcher.ts';
export { Lag } from './kafka/read/lag.ts';
export { Standstill } from './kafka/read/standstill.ts';
export { sinkMeasures } from './kafka/sink/health.ts';
export { MemoryClient, MemoryKafka, type MemoryMessage, type Moment } from './kafka/testing/memory-kafka.ts';
export { LoopMeasures } from './kafka/transact/health.ts';
export { Lane, type LaneOptions } from './kafka/transact/lane.ts';
export {
  type PartitionClient,
  type PartitionClientOptions,
  partitionClient,
  readPartition,
} from './kafka/transact/partition-client.ts';
export { Blame, Isolation } from './kafka/transact/poison-records.ts';
