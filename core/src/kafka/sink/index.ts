export { avroReader, type RecordReader } from './entry.ts';
export type { LaneOf } from './lane-assigner.ts';
export { type RunningSink, runSink, type SinkRunnerOptions } from './runner.ts';
