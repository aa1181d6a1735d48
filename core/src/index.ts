export * from './admin-server.ts';
export * from './codes.ts';
export * from './config/index.ts';
export * from './erasure.ts';
export * from './errors.ts';
export {
  type ClusterDescription,
  createBrokers,
  createKafka,
  describeCluster,
  type KafkaSettings,
  silentLog,
  withAdmin,
} from './kafka/client/client.ts';
export {
  type ConfigChange,
  instead,
  planFrom,
  type SeenTopic,
  type TopicAction,
  type TopicPlan,
  type TopicState,
} from './kafka/client/topic-plan.ts';
export { applyTopics, planTopics, requireTopics, seenTopics } from './kafka/client/topics.ts';
export { DeadLetterLog } from './kafka/dead-letter-log.ts';
export { isOfRecords } from './kafka/errors.ts';
export * from './kafka/names.ts';
export { GroupCommitProducer } from './kafka/publish/group-commit.ts';
export {
  type BatchOutcome,
  type GroupCommitOptions,
  kafkaTransport,
  type Published,
  type PublishFailure,
  type PublishRecord,
  type RecordBatch,
  type RecordTransport,
  type Route,
} from './kafka/publish/transport.ts';
export { type FollowState, followTopic, type TopicFollower } from './kafka/read/follow-topic.ts';
export * from './kafka/read/group-lag.ts';
export { LAG_HELP } from './kafka/read/lag.ts';
export {
  type FirstRecord,
  firstRecords,
  inputRecordOfRead,
  type ReadFrom,
  type ReadOptions,
  type ReadRecord,
  readTopic,
  type TopicPosition,
} from './kafka/read/read-topic.ts';
export * from './kafka/records.ts';
export type { LaneOf } from './kafka/sink/assignment.ts';
export { avroReader, type RecordReader } from './kafka/sink/entry.ts';
export { runSink } from './kafka/sink/runner.ts';
export type { RunningSink, SinkRunnerOptions } from './kafka/sink/runner-options.ts';
export * from './kafka/sink/sink.ts';
export { readinessOf, statefulReadinessOf } from './kafka/transact/health.ts';
export {
  startTransactionalLoop,
  type TransactionalLoop,
  type TransactionalLoopOptions,
} from './kafka/transact/loop.ts';
export {
  type LastOffset,
  MAX_NOTE,
  type OutputRecord,
  type OwnedPartition,
  type Stage,
  type Step,
  type Unforeseen,
  type UnforeseenFailure,
} from './kafka/transact/stage.ts';
export { TransactionalWriter } from './kafka/transact/writer.ts';
export * from './lifecycle.ts';
export { measureCertificate, measureDisk } from './measures.ts';
export { type Backoff, backoffMs, pause, retry } from './retry.ts';
export { serveConsumer } from './serve.ts';
export * from './service.ts';
export * from './service-main.ts';
export {
  isSigningSecret,
  SIGNING_SECRET_EXPECTED,
  type StandardWebhookHeaders,
  webhookSigner,
} from './standard-webhook.ts';
export * from './telemetry.ts';
export { TlsFiles, type TlsPair } from './tls-files.ts';
export * from './tracing/traces.ts';
