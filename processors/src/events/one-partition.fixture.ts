import { cpSync, rmSync } from 'node:fs';
import { codeOf, Registry, silentLog } from '@email-events/core';
import { Lane, MemoryClient, MemoryKafka } from '@email-events/core/testing';
import {
  type EmailEvent,
  eventTopics,
  eventTypeOf,
  type NormalizedBatch,
  topics,
} from '@email-events/schemas';
import {
  batchSettings,
  changelogCodec,
  decodeAll,
  decoderOf,
  encoderOf,
  stateCodec,
} from '../testing/codecs.ts';
import { eventOf, START } from '../testing/records.ts';
import { type EventsContext, EventsStage } from './events-stage.ts';
import { measureEvents } from './measures.ts';

const HOUR = 3_600_000;
const PARTITION = 1;
const GROUP = 'group';
/** Of the clock, from one transaction to the next. */
const STEP_MS = 2_000;
/** In the middle of it all: what is seen from then on lies in another bucket. */
const BREAK_MS = 5 * HOUR;
const RECORDS_A_TRANSACTION = 2;
const MAX_FAILURES = 50;

/**
 * What becomes of a store when an owner has failed: the next one opens it after it was closed; or as a killed process leaves it; or there
 * is none.
 */
export type Aftermath = 'closed' | 'killed' | 'lost';
export const AFTERMATHS: readonly Aftermath[] = ['closed', 'killed', 'lost'];

/**
 * One partition of `events`: its Kafka in memory, its store on disk. It is run as the loop runs it: an owner that fails is replaced by
 * another, until all that came is committed.
 */
export class OnePartition {
  /** Codes of what went wrong, in order. */
  readonly failures: string[] = [];
  private readonly kafka = new MemoryKafka();
  private readonly client = new MemoryClient(this.kafka);
  private readonly events: EmailEvent[] = [];
  private readonly folder: string;
  private context: EventsContext;
  private now = START;
  private copies = 0;
  private hadBreak = false;

  /** @param folder for its stores */
  constructor(folder: string) {
    this.folder = folder;
    this.context = {
      ...batchSettings(),
      stateDir: `${folder}/0`,
      identity: { clusterId: 'c', application: 'a' },
      windowMs: 8 * HOUR,
      deadLetterPartitions: 1,
      decoder: decoderOf('normalized'),
      deadLetterEncoder: encoderOf('deadLetter'),
      changelogs: changelogCodec(),
      stateCodec: stateCodec(),
      clock: () => this.now,
      restoreInTurn: (work) => work(),
      ...measureEvents(new Registry(), silentLog),
    };
  }

  get storeFile(): string {
    return `${this.context.stateDir}/${PARTITION}/store.mdb`;
  }

  /** So many records of so many new events each; all come a second time in the next record. */
  produce(records: number, eventsEach: number): void {
    for (let n = 0; n < records; n++) {
      const events = Array.from({ length: eventsEach }, (_, i) =>
        eventOf(i % 2 === 0 ? 'opened' : 'bounced', { recipient: `user${this.events.length + i}@x.example` }),
      );
      this.events.push(...events);
      this.write(events);
      this.write(events);
    }
  }

  /** All that ever came, once more. */
  produceAllAgain(): void {
    this.write(this.events);
  }

  /** Until all is committed. After a failure the next owner begins with what `aftermath` leaves. */
  async run(aftermath: Aftermath, afterFailure: () => void = () => {}): Promise<void> {
    while (this.position < this.kafka.end(topics.normalized, PARTITION)) {
      const lane = new Lane({
        client: this.client.partition(GROUP, topics.normalized, PARTITION),
        partition: PARTITION,
        stage: new EventsStage(this.context),
      });
      try {
        await lane.open();
        await this.processAll(lane);
        await lane.close();
      } catch (error) {
        this.failures.push(codeOf(error));
        if (this.failures.length > MAX_FAILURES) throw error;
        await this.leave(lane, aftermath);
        afterFailure();
      }
    }
  }

  /** As if the disk had been exchanged. */
  loseStore(): void {
    rmSync(this.context.stateDir, { recursive: true, force: true });
  }

  /** Events that came out twice or more, and that never did. */
  async wrong(): Promise<{ twice: number; never: number }> {
    const seen = new Map(this.events.map(({ event_id }) => [event_id, 0]));
    for (const topic of eventTopics) {
      const values = this.kafka.committed(topic, PARTITION).map(({ value }) => value);
      const type = eventTypeOf(topic);
      for (const { event_id } of type ? await decodeAll<EmailEvent>(type, values) : [])
        seen.set(event_id, (seen.get(event_id) ?? 0) + 1);
    }
    const counts = [...seen.values()];
    return { twice: counts.filter((n) => n > 1).length, never: counts.filter((n) => n === 0).length };
  }

  private get position(): number {
    return Math.max(0, this.kafka.committedOffset(GROUP, topics.normalized, PARTITION));
  }

  private async processAll(lane: Lane): Promise<void> {
    for (;;) {
      const all = this.kafka.committed(topics.normalized, PARTITION, lane.position);
      const records = all.slice(0, RECORDS_A_TRANSACTION);
      const last = records.at(-1);
      if (!last) return;
      const isHalf = last.offset * 2 >= this.kafka.end(topics.normalized, PARTITION);
      this.now += isHalf && !this.hadBreak ? BREAK_MS : STEP_MS;
      this.hadBreak ||= isHalf;
      await lane.process(records, last.offset + 1);
    }
  }

  /** The copy of a store that is open is what a kill leaves of it: all that was written, and nothing that closing would do. */
  private async leave(lane: Lane, aftermath: Aftermath): Promise<void> {
    const { stateDir } = this.context;
    this.copies++;
    const next = `${this.folder}/${this.copies}`;
    if (aftermath === 'killed') cpSync(stateDir, next, { recursive: true, force: true });
    await lane.close();
    if (aftermath === 'killed') this.context = { ...this.context, stateDir: next };
    if (aftermath === 'lost') this.loseStore();
  }

  private write(events: readonly EmailEvent[]): void {
    const value = encoder.encode({ events: [...events], actions: [] });
    this.kafka.produce(topics.normalized, PARTITION, { value });
  }
}

const encoder = encoderOf<NormalizedBatch>('normalized');
