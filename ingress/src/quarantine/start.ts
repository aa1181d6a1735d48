import { GroupCommitProducer, kafkaTransport, type ServiceContext } from '@email-events/core';
import { largestRawRecord, topics } from '@email-events/schemas';
import type { IngressConfig } from '../config.ts';
import { KafkaQuarantine } from './quarantine.ts';

/** Time for Kafka to acknowledge a request that is kept, and the bytes that wait for that. Nobody else waits. */
export const QUARANTINE_MS = 5_000;
const WAITING_BYTES = 8_388_608;

export function startQuarantine({ config, log, metrics }: ServiceContext<IngressConfig>): KafkaQuarantine {
  return new KafkaQuarantine({
    ...{ ...config.ingress.quarantine, metrics },
    producer: () =>
      new GroupCommitProducer({
        transport: kafkaTransport(config.kafka, 'ingress', topics.quarantine, QUARANTINE_MS, log),
        log,
        publishTimeoutMs: QUARANTINE_MS,
        maxWaitingBytes: WAITING_BYTES,
        maxRecordBytes: largestRawRecord(config.topics),
      }),
  });
}
