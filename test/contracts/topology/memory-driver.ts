import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as yieldToOthers } from 'node:timers/promises';
import { encodeRawHeaders, Registry, type Stage, silentLog } from '@email-events/core';
import { isFatal, Lane, MemoryClient, MemoryKafka } from '@email-events/core/testing';
import {
  batchSettings,
  changelogCodec,
  deadLetterReport,
  decoderOf,
  EventsStage,
  encoderOf,
  measureEvents,
  NormalizeStage,
  stateCodec,
  tokenSettings,
} from '@email-events/processors/testing';
import { type NormalizedBatch, partitionOf, topics } from '@email-events/schemas';
import { waitFor } from '../../harness/stack.ts';
import {
  decodeOutputs,
  type Member,
  OUTPUT_TOPICS,
  PARTITIONS,
  RAW_PARTITIONS,
  type TopologyDriver,
} from './driver.ts';

const GROUPS = [
  { group: 'normalize', topic: topics.raw, partitions: RAW_PARTITIONS },
  { group: 'events', topic: topics.normalized, partitions: PARTITIONS },
] as const;
type Group = (typeof GROUPS)[number];

/** The stages and lanes as they are, on a cluster in memory whose groups give every live member its share. */
export function memoryDriver(): TopologyDriver {
  const kafka = new MemoryKafka();
  const disks = mkdtempSync(join(tmpdir(), 'topology-'));
  const members: MemoryMember[] = [];
  const start = async (group: Group, createStage: () => Stage): Promise<Member> => {
    const member = new MemoryMember(kafka, group, members, createStage);
    members.push(member);
    void member.run();
    return member;
  };
  const positions = async () =>
    GROUPS.flatMap(({ group, topic, partitions }) =>
      Array.from({ length: partitions }, (_, partition) => {
        const committed = kafka.committedOffset(group, topic, partition);
        const end = BigInt(kafka.stableEnd(topic, partition));
        return { group, topic, partition, committed: committed < 0 ? null : BigInt(committed), end };
      }),
    );
  return {
    receive: async (requests) => {
      for (const { partition, body, webhookId, esp = 'standard-webhooks' } of requests) {
        const headers = encodeRawHeaders(rawRequest(esp, webhookId));
        kafka.produce(topics.raw, partition, { value: Buffer.from(body), headers });
      }
    },
    writeInternal: async (partition, value) => ({
      offset: kafka.produce(topics.normalized, partition, { value }),
    }),
    order: async (action) => {
      const value = encoderOf<NormalizedBatch>('normalized').encode({ events: [], actions: [action] });
      kafka.produce(topics.normalized, partitionOf(action.recipient, PARTITIONS), { value });
    },
    abortInternal: async (partition, value) => {
      const transaction = { status: 'aborted' } as const;
      kafka.append(topics.normalized, partition, { value }, transaction);
      kafka.marker(topics.normalized, partition, transaction);
    },
    startNormalize: () => start(GROUPS[0], normalizeStages()),
    startEvents: (disk) => start(GROUPS[1], eventsStages(join(disks, disk))),
    loseDisk: async (disk) => rmSync(join(disks, disk), { recursive: true }),
    positions,
    idle: () =>
      waitFor('everything is committed', async () =>
        (await positions()).every(({ committed, end }) => (committed ?? 0n) === end),
      ),
    outputs: async () => {
      const all = OUTPUT_TOPICS.flatMap((topic) =>
        kafka.partitionsOf(topic).flatMap((partition) => kafka.committed(topic, partition)),
      );
      return decodeOutputs(
        all.map((record) => ({ ...record, offset: BigInt(record.offset) })),
        (key) => decoderOf(key),
      );
    },
    close: async () => {
      await Promise.all(members.map((member) => member.kill()));
      rmSync(disks, { recursive: true, force: true });
    },
  };
}

export function rawRequest(esp: string, webhookId: string) {
  return {
    requestId: crypto.randomUUID(),
    source: 'main',
    esp,
    receivedAt: Date.UTC(2026, 0, 2),
    method: 'POST',
    url: '/webhooks/email-events/main',
    contentType: 'application/json',
    remoteAddress: null,
    headers: { 'webhook-id': webhookId },
  };
}

function normalizeStages(): () => Stage {
  const metrics = new Registry();
  const context = {
    partitions: PARTITIONS,
    deadLetterPartitions: 1,
    encoder: encoderOf('normalized'),
    deadLetterEncoder: encoderOf('deadLetter'),
    openStages: new Set(),
    deadLetters: deadLetterReport(metrics, silentLog),
    clock: Date.now,
    tokens: tokenSettings(),
  } as const;
  return () => new NormalizeStage(context as ConstructorParameters<typeof NormalizeStage>[0]);
}

function eventsStages(stateDir: string): () => Stage {
  const context = {
    ...batchSettings(),
    stateDir,
    identity: { clusterId: 'memory', application: 'topology' },
    windowMs: 7 * 86_400_000,
    deadLetterPartitions: 1,
    decoder: decoderOf('normalized'),
    deadLetterEncoder: encoderOf('deadLetter'),
    changelogs: changelogCodec(),
    stateCodec: stateCodec(),
    restoreInTurn: (work: () => Promise<void>) => work(),
    ...measureEvents(new Registry(), silentLog),
  } as const;
  return () => new EventsStage(context as ConstructorParameters<typeof EventsStage>[0]);
}

const BATCH_RECORDS = 4;

interface OpenLane {
  readonly lane: Lane;
  readonly stage: Stage;
  readonly opened: Promise<void>;
  next: number;
}

class MemoryMember implements Member {
  readonly group: Group;
  private readonly kafka: MemoryKafka;
  private readonly members: readonly MemoryMember[];
  private readonly createStage: () => Stage;
  private readonly client: MemoryClient;
  private readonly lanes = new Map<number, OpenLane>();
  private readonly ended = Promise.withResolvers<void>();
  private thawed: PromiseWithResolvers<void> | undefined;
  private state: 'live' | 'frozen' | 'stopping' | 'gone' = 'live';

  constructor(kafka: MemoryKafka, group: Group, members: readonly MemoryMember[], createStage: () => Stage) {
    this.kafka = kafka;
    this.group = group;
    this.members = members;
    this.createStage = createStage;
    this.client = new MemoryClient(kafka);
  }

  async run(): Promise<void> {
    while (!this.isEnding()) {
      const mine = this.assignment();
      await this.thawed?.promise;
      for (const partition of this.lanes.keys()) if (!mine.includes(partition)) await this.drop(partition);
      for (const partition of mine) {
        await this.thawed?.promise;
        await this.step(partition).catch((error) => {
          // It would end the process.
          if (isFatal(error)) throw error;
          // A new lane begins where the last commit ended.
          return this.drop(partition);
        });
        if (this.isEnding()) break;
      }
      await yieldToOthers();
    }
    for (const partition of [...this.lanes.keys()]) await this.drop(partition);
    this.state = 'gone';
    this.ended.resolve();
  }

  stop(): Promise<void> {
    if (this.state !== 'gone') this.state = 'stopping';
    return this.ended.promise;
  }

  async kill(): Promise<void> {
    this.state = 'gone';
    this.client.kill();
    // The process's open files end with it.
    await Promise.all([...this.lanes.values()].map(({ stage }) => stage.close()));
  }

  freeze(): void {
    this.state = 'frozen';
    this.thawed = Promise.withResolvers<void>();
    this.client.pause();
  }

  thaw(): void {
    this.state = 'live';
    this.client.resume();
    this.thawed?.resolve();
  }

  private isEnding(): boolean {
    return this.state === 'stopping' || this.state === 'gone';
  }

  /** The group counts on live members only; a frozen one goes on with what it had. */
  private assignment(): number[] {
    if (this.state === 'frozen') return [...this.lanes.keys()];
    const live = this.members.filter(({ group, state }) => group === this.group && state === 'live');
    const index = live.indexOf(this);
    const all = Array.from({ length: this.group.partitions }, (_, partition) => partition);
    return index === -1 ? [] : all.filter((partition) => partition % live.length === index);
  }

  private async step(partition: number): Promise<void> {
    const { topic } = this.group;
    const open = this.lanes.get(partition) ?? this.open(partition);
    // It reads on while its lane is being opened: others may have gone on by the time it is open.
    const end = this.kafka.end(topic, partition);
    const records = this.kafka.committed(topic, partition, open.next).slice(0, BATCH_RECORDS);
    const last = records.length === BATCH_RECORDS ? records.at(-1) : undefined;
    const next = last ? last.offset + 1 : this.kafka.stableEnd(topic, partition);
    await open.opened;
    if (next <= open.next) return;
    await open.lane.process(records, next, end);
    open.next = next;
  }

  private open(partition: number): OpenLane {
    const { group: groupId, topic } = this.group;
    const stage = this.createStage();
    const lane = new Lane({ client: this.client.partition(groupId, topic, partition), partition, stage });
    const next = Math.max(0, this.kafka.committedOffset(groupId, topic, partition));
    const open = { lane, stage, next, opened: lane.open() };
    this.lanes.set(partition, open);
    return open;
  }

  private async drop(partition: number): Promise<void> {
    const open = this.lanes.get(partition);
    this.lanes.delete(partition);
    await open?.lane.close();
  }
}
