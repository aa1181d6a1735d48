import {
  createKafka,
  type LastOffset,
  type OutputRecord,
  partitionTransactionalId,
} from '@email-events/core';
import {
  partitionClient as ours,
  type PartitionClient,
  type PartitionClientOptions,
  roundsOf,
} from '@email-events/core/testing';
import type { Producer, RecordMetadata } from 'kafkajs';

/** A lane's client of the cluster, but that it writes by kafkajs's producer. Everything else is as it is. */
export function partitionClient(options: PartitionClientOptions): PartitionClient {
  const { settings, service, log, groupId, topic, partition, transactionTimeoutMs } = options;
  const client = ours(options);
  const producer = createKafka(settings, service, log).producer({
    transactionalId: partitionTransactionalId(groupId, topic, partition),
    transactionTimeout: transactionTimeoutMs,
    idempotent: true,
    maxInFlightRequests: 1,
    createPartitioner:
      () =>
      ({ message }) =>
        message.partition ?? 0,
  });
  return {
    ...client,
    open: async () => {
      await producer.connect();
      // It asks for the producer id, which fences, when the first transaction begins.
      await (await producer.transaction()).abort();
    },
    transact: (outputs, position) =>
      transact(
        producer,
        outputs,
        position === undefined
          ? undefined
          : {
              consumerGroupId: groupId,
              topics: [{ topic, partitions: [{ partition, offset: String(position.offset) }] }],
            },
      ),
    close: () => {
      client.close();
      producer.disconnect().catch(() => {});
    },
  };
}

type Offsets = Parameters<Awaited<ReturnType<Producer['transaction']>>['sendOffsets']>[0];

async function transact(
  producer: Producer,
  outputs: readonly OutputRecord[],
  offsets: Offsets | undefined,
): Promise<LastOffset> {
  const transaction = await producer.transaction();
  const last = new Map<string, number>();
  try {
    for (const round of roundsOf(outputs)) {
      const topicMessages = round.map(({ topic, partition, messages }) => ({
        topic,
        messages: messages.map(({ key, value, headers }) => ({
          ...{ key, value, partition },
          ...(headers ? { headers: headers as { [name: string]: Buffer } } : {}),
        })),
      }));
      const sent = await transaction.sendBatch({ topicMessages, acks: -1 });
      for (const { topic, partition, messages } of round) {
        const base = baseOf(sent, topic, partition);
        // Where nothing was answered it went on with what it knew.
        if (base !== undefined) last.set(`${topic}/${partition}`, base + messages.length - 1);
      }
    }
    if (offsets) await transaction.sendOffsets(offsets);
  } catch (error) {
    await transaction.abort().catch(() => {});
    throw error;
  }
  await transaction.commit();
  return (topic, partition) => last.get(`${topic}/${partition}`) ?? 0;
}

function baseOf(sent: readonly RecordMetadata[], topic: string, partition: number): number | undefined {
  const found = sent.find((of) => of.topicName === topic && of.partition === partition);
  return found?.baseOffset === undefined ? undefined : Number(found.baseOffset);
}
