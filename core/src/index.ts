export * from './admin-server.ts';
export * from './config/index.ts';
export * from './dead-letter.ts';
export * from './errors.ts';
export { type KafkaSettings, silentLog, withAdmin } from './kafka/admin.ts';
export * from './kafka/client.ts';
export * from './kafka/cluster.ts';
export { isOfRecords } from './kafka/errors.ts';
export { type FirstRecord, firstRecords } from './kafka/first-records.ts';
export { GroupCommitProducer } from './kafka/group-commit.ts';
export * from './kafka/group-commit-transport.ts';
export * from './kafka/group-lag.ts';
export * from './kafka/names.ts';
export * from './kafka/reader.ts';
export { requireTopics } from './kafka/require-topics.ts';
export * from './kafka/sink/index.ts';
export * from './kafka/topics-admin.ts';
export {
  startTransactionalLoop,
  type TransactionalLoop,
  type TransactionalLoopOptions,
} from './kafka/transact/loop.ts';
export { readinessOf, statefulReadinessOf } from './kafka/transact/readiness.ts';
export type {
  LastOffset,
  OutputRecord,
  OwnedPartition,
  Stage,
  Step,
  Unforeseen,
  UnforeseenFailure,
} from './kafka/transact/stage.ts';
export { TransactionalWriter } from './kafka/transact/writer.ts';
export * from './lifecycle.ts';
export * from './log.ts';
export * from './metrics.ts';
export * from './raw-record.ts';
export * from './replay.ts';
export * from './service.ts';
export * from './service-main.ts';
export * from './sink.ts';
export { type StartUpWait, whenThere } from './start-up.ts';
