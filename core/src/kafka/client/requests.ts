import { apiOf } from '../kafkajs/kafkajs.ts';
import { encodeProduce, type ProduceQuery } from './produce-frame.ts';

// Requests to brokers, as kafkajs 2.2.4 encodes and decodes it. Answers are taken as they were decoded, each partition with its
// own error code: kafkajs's own evaluation throws the first error of an answer and forgets all the rest of it.

export interface TopicPartitions<P> {
  readonly topic: string;
  readonly partitions: readonly P[];
}

export interface PartitionError {
  readonly partition: number;
  readonly errorCode: number;
}

export interface Coded {
  readonly errorCode: number;
}

interface Transactional {
  readonly transactionalId: string;
  readonly producerId: string;
  readonly producerEpoch: number;
}

interface Member {
  readonly groupId: string;
  readonly memberId: string;
}

export interface MetadataAnswer {
  readonly brokers: readonly { nodeId: number; host: string; port: number }[];
  readonly controllerId: number;
  readonly topicMetadata: readonly {
    topicErrorCode: number;
    topic: string;
    partitionMetadata: readonly {
      partitionErrorCode: number;
      partitionId: number;
      leader: number;
      replicas: readonly number[];
      isr: readonly number[];
    }[];
  }[];
}

export const metadata = apiOf<{ topics: readonly string[]; allowAutoTopicCreation: boolean }, MetadataAnswer>(
  'Metadata',
);

export const findCoordinator = apiOf<
  { groupId: string; coordinatorType: number },
  Coded & { coordinator: { nodeId: number; host: string; port: number } }
>('GroupCoordinator');

export interface ProduceAnswer {
  readonly topics: readonly {
    topicName: string;
    partitions: readonly (PartitionError & { baseOffset: string })[];
  }[];
}

const kafkajsProduce = apiOf<ProduceQuery, ProduceAnswer>('Produce');

/** kafkajs's answer to a request that is encoded here. */
export const produce: typeof kafkajsProduce = {
  key: kafkajsProduce.key,
  api: {
    versions: kafkajsProduce.api.versions,
    protocol: (of) => (query) => ({
      ...kafkajsProduce.api.protocol(of)(query),
      frame: (head) => encodeProduce(query, head),
    }),
  },
};

export const initProducerId = apiOf<
  { transactionalId: string; transactionTimeout: number },
  Coded & { producerId: string; producerEpoch: number }
>('InitProducerId');

export const addPartitionsToTxn = apiOf<
  Transactional & { topics: readonly TopicPartitions<number>[] },
  { errors: readonly { topic: string; partitionErrors: readonly PartitionError[] }[] }
>('AddPartitionsToTxn');

export const addOffsetsToTxn = apiOf<Transactional & { groupId: string }, Coded>('AddOffsetsToTxn');

export const txnOffsetCommit = apiOf<
  Transactional & {
    groupId: string;
    topics: readonly TopicPartitions<{ partition: number; offset: string; metadata: string | null }>[];
  },
  { topics: readonly TopicPartitions<PartitionError>[] }
>('TxnOffsetCommit');

export const endTxn = apiOf<Transactional & { transactionResult: boolean }, Coded>('EndTxn');

export const listOffsets = apiOf<
  {
    replicaId: number;
    isolationLevel: number;
    topics: readonly TopicPartitions<{ partition: number; timestamp: number | string }>[];
  },
  { responses: readonly TopicPartitions<PartitionError & { offset: string }>[] }
>('ListOffsets');

export const offsetFetch = apiOf<
  { groupId: string; topics: readonly TopicPartitions<{ partition: number }>[] },
  Coded & {
    responses: readonly TopicPartitions<PartitionError & { offset: string; metadata: string | null }>[];
  }
>('OffsetFetch');

export const offsetCommit = apiOf<
  Member & {
    groupGenerationId: number;
    topics: readonly TopicPartitions<{ partition: number; offset: string; metadata: string | null }>[];
  },
  { responses: readonly TopicPartitions<PartitionError>[] }
>('OffsetCommit');

export const joinGroup = apiOf<
  Member & {
    sessionTimeout: number;
    rebalanceTimeout: number;
    protocolType: string;
    groupProtocols: readonly { name: string; metadata: Buffer }[];
  },
  Coded & {
    generationId: number;
    groupProtocol: string;
    leaderId: string;
    memberId: string;
    members: readonly { memberId: string; memberMetadata: Buffer }[];
  }
>('JoinGroup');

export const syncGroup = apiOf<
  Member & {
    generationId: number;
    groupAssignment: readonly { memberId: string; memberAssignment: Buffer }[];
  },
  Coded & { memberAssignment: Buffer }
>('SyncGroup');

export const heartbeat = apiOf<Member & { groupGenerationId: number }, Coded>('Heartbeat');

export const leaveGroup = apiOf<Member, Coded & { members?: readonly (Coded & { memberId: string })[] }>(
  'LeaveGroup',
);
