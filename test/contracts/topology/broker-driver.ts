import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipelineConfig } from '@email-events/cli/services';
import {
  applyTopics,
  createKafka,
  encodeRawHeaders,
  readTopic,
  silentLog,
  withAdmin,
} from '@email-events/core';
import type { StackAddresses } from '@email-events/dev/stack';
import {
  Codec,
  type NormalizedBatch,
  partitionOf,
  registerSchemas,
  topicCatalogue,
  topics,
} from '@email-events/schemas';
import type { GroupPosition } from '@email-events/test/invariants';
import { unique } from '../../harness/isolation.ts';
import { waitFor } from '../../harness/stack.ts';
import {
  decodeOutputs,
  type Member,
  OUTPUT_TOPICS,
  type OutputRecordRead,
  PARTITIONS,
  RAW_PARTITIONS,
  type TopologyDriver,
} from './driver.ts';
import { rawRequest } from './memory-driver.ts';

/** The least that brokers take by default: how long a dead or frozen process keeps its partitions. */
const SESSION_TIMEOUT_MS = 6_000;

/** Real processes on a real broker and registry. They need the stack to themselves: topic names are fixed. */
export async function brokerDriver(stack: StackAddresses): Promise<TopologyDriver> {
  const folder = mkdtempSync(join(tmpdir(), 'topology-stack-'));
  const groupPrefix = unique('topology');
  const settingsOf = (disk: string) => ({
    kafka: { ...stack.kafka, groupPrefix, sessionTimeoutMs: SESSION_TIMEOUT_MS },
    registry: stack.registry,
    topics: { partitions: PARTITIONS, rawPartitions: RAW_PARTITIONS },
    normalize: { adminPort: 0 },
    events: { adminPort: 0, stateDir: join(folder, disk) },
    log: { level: 'debug' },
  });
  const config = pipelineConfig.parse(settingsOf('none'));
  await applyTopics(config.kafka, topicCatalogue(config.topics));
  await registerSchemas(stack.registry);
  const codec = new Codec(stack.registry);
  const kafka = createKafka(config.kafka, 'topology-test', silentLog);
  const producer = kafka.producer();
  const aborting = kafka.producer({
    transactionalId: groupPrefix,
    maxInFlightRequests: 1,
    idempotent: true,
  });
  await Promise.all([producer.connect(), aborting.connect()]);
  const members: ServiceProcess[] = [];

  const start = async (service: string, disk: string): Promise<Member> => {
    const file = join(folder, `${service}-${disk}.yaml`);
    // JSON is YAML.
    writeFileSync(file, JSON.stringify(settingsOf(disk)));
    const member = new ServiceProcess(service, file, join(folder, `${service}-${disk}.log`));
    members.push(member);
    await member.started();
    return member;
  };
  const positions = () =>
    withAdmin(config.kafka, async (admin) => {
      const wanted = [
        { group: `${groupPrefix}.normalize`, topic: topics.raw },
        { group: `${groupPrefix}.events`, topic: topics.normalized },
      ];
      const found: GroupPosition[] = [];
      // One after the other: when the first topic is dealt with, the second one has all that it will have.
      for (const { group, topic } of wanted) {
        const ends = await admin.fetchTopicOffsets(topic);
        const [of] = await admin.fetchOffsets({ groupId: group, topics: [topic] });
        for (const { partition, high } of ends) {
          const offset = of?.partitions.find((entry) => entry.partition === partition)?.offset ?? '-1';
          const committed = BigInt(offset) < 0n ? null : BigInt(offset);
          found.push({ group, topic, partition, committed, end: BigInt(high) });
        }
      }
      return found;
    });

  return {
    receive: async (requests) => {
      const messages = requests.map(({ partition, body, webhookId, esp = 'standard-webhooks' }) => ({
        partition,
        value: Buffer.from(body),
        headers: encodeRawHeaders(rawRequest(esp, webhookId)),
      }));
      await producer.send({ topic: topics.raw, acks: -1, messages });
    },
    writeInternal: async (partition, value) => {
      const [place] = await producer.send({ topic: topics.normalized, messages: [{ partition, value }] });
      return { offset: Number(place?.baseOffset) };
    },
    order: async (action) => {
      const encoder = await codec.encoder<NormalizedBatch>(topics.normalized, 'normalized');
      const partition = partitionOf(action.recipient, PARTITIONS);
      const value = encoder.encode({ events: [], actions: [action] });
      await producer.send({ topic: topics.normalized, messages: [{ partition, value }] });
    },
    abortInternal: async (partition, value) => {
      const transaction = await aborting.transaction();
      await transaction.send({ topic: topics.normalized, messages: [{ partition, value }] });
      await transaction.abort();
    },
    startNormalize: () => start('normalize', `n${members.length}`),
    startEvents: (disk) => start('events', disk),
    loseDisk: async (disk) => rmSync(join(folder, disk), { recursive: true }),
    positions,
    idle: () =>
      waitFor(
        'everything is committed',
        async () => (await positions()).every(({ committed, end }) => (committed ?? 0n) === end),
        60_000,
      ),
    outputs: async () => {
      const records: OutputRecordRead[] = [];
      await readTopic(config.kafka, {
        topics: OUTPUT_TOPICS,
        from: 'beginning',
        onRecord: (record) => void records.push(record),
      });
      return decodeOutputs(records, (key) => codec.decoder(key));
    },
    close: async () => {
      await Promise.all(members.map((member) => member.kill()));
      await Promise.all([producer.disconnect(), aborting.disconnect()]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

class ServiceProcess implements Member {
  private readonly child: ChildProcess;
  private readonly exited: Promise<void>;
  private readonly service: string;

  constructor(service: string, configFile: string, logFile: string) {
    this.service = service;
    const main = new URL(`../../../processors/src/${service}/main.ts`, import.meta.url).pathname;
    const log = openSync(logFile, 'a');
    this.child = spawn(process.execPath, [main, '--config', configFile], {
      stdio: ['ignore', log, log, 'ipc'],
    });
    closeSync(log);
    this.exited = new Promise((resolve) => this.child.once('exit', () => resolve()));
  }

  /** Resolves when it says that it takes work. */
  started(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.child.once('message', () => resolve());
      void this.exited.then(() => reject(new Error(`${this.service} ended while it started`)));
    });
  }

  stop(): Promise<void> {
    return this.end('SIGTERM');
  }

  kill(): Promise<void> {
    return this.end('SIGKILL');
  }

  freeze(): void {
    this.child.kill('SIGSTOP');
  }

  thaw(): void {
    this.child.kill('SIGCONT');
  }

  private end(signal: NodeJS.Signals): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill(signal);
    return this.exited;
  }
}
