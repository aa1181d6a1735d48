import type { CommonConfig } from '../config/index.ts';
import { PipelineError } from '../errors.ts';
import type { Logger } from '../log.ts';
import { createKafka } from './client.ts';

export interface ClusterDescription {
  /** Made when the cluster's storage was formatted: another id means other data. */
  readonly clusterId: string;
}

/** Asks any broker. Throws KAFKA_UNREACHABLE. */
export async function describeCluster(
  settings: CommonConfig['kafka'],
  service: string,
  log: Logger,
): Promise<ClusterDescription> {
  const admin = createKafka(settings, service, log).admin();
  try {
    await admin.connect();
    const { clusterId } = await admin.describeCluster();
    return { clusterId };
  } catch (cause) {
    throw new PipelineError('KAFKA_UNREACHABLE', 'retry', 'no broker answers', { cause });
  } finally {
    await admin.disconnect();
  }
}
