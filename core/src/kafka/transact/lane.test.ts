import { beforeEach, expect, test } from 'vitest';
import { isFenced } from '../errors.ts';
import { createErrorFromCode } from '../kafkajs/kafkajs.ts';
import type { InputRecord } from '../records.ts';
import { MemoryClient, MemoryKafka } from '../testing/memory-kafka.ts';
import { Lane } from './lane.ts';
import { Notes } from './notes.ts';
import type { PartitionClient } from './partition-client.ts';
import type { OwnedPartition, Stage, Step } from './stage.ts';

const GROUP = 'group';
/** Of Kafka's protocol. */
const OFFSET_METADATA_TOO_LARGE = 12;
let kafka: MemoryKafka;
beforeEach(() => {
  kafka = new MemoryKafka();
});

/** Copies its input and remembers what was committed. */
class CopyStage implements Stage {
  readonly committed: (number | undefined)[] = [];
  closed = false;
  onOpen: (owned: OwnedPartition) => Promise<void> = async () => {};
  during: () => Promise<void> = async () => {};

  open(owned: OwnedPartition): Promise<void> {
    return this.onOpen(owned);
  }

  async process(records: readonly InputRecord[]): Promise<Step> {
    await this.during();
    if (this.closed) throw new Error('closed while it was at work');
    return {
      outputs: records.map(({ value }) => ({ topic: 'out', partition: 0, key: null, value })),
      committed: (lastOffset) => {
        this.committed.push(lastOffset('out', 0));
      },
    };
  }

  async setAside(): Promise<Step> {
    throw new Error('nothing here is set aside');
  }

  async checkItself(): Promise<void> {}

  async close(): Promise<void> {
    this.closed = true;
  }
}

async function openLane({ stage = new CopyStage(), client = new MemoryClient(kafka) } = {}) {
  const lane = new Lane({
    client: client.partition(GROUP, 'in', 0),
    partition: 0,
    stage,
  });
  await lane.open();
  return { lane, stage, client };
}

const produce = (...texts: string[]) => {
  for (const text of texts) kafka.produce('in', 0, { value: Buffer.from(text) });
};
const input = (from = 0) => kafka.committed('in', 0, from);
const output = () => kafka.committed('out', 0).map(({ value }) => String(value));
const committed = () => kafka.committedOffset(GROUP, 'in', 0);

test('outputs and offset are committed together, then the stage is told where its records are', async () => {
  produce('a', 'b');
  const { lane, stage } = await openLane();
  await lane.process(input(), 2);
  expect(output()).toEqual(['a', 'b']);
  expect(committed()).toBe(2);
  expect(stage.committed).toEqual([1]);
  produce('c');
  await lane.process(input(2), 3);
  // Behind the marker of the first transaction.
  expect(stage.committed).toEqual([1, 3]);
});

test.each(['send', 'offsets', 'commit'] as const)('a failure at %s leaves nothing behind', async (moment) => {
  produce('a');
  const { lane, stage, client } = await openLane();
  client.interfere = (at) => {
    if (at === moment) throw new Error('broken');
  };
  await expect(lane.process(input(), 1)).rejects.toThrow('broken');
  expect(output()).toEqual([]);
  expect(committed()).toBe(-1);
  expect(stage.committed).toEqual([]);
  // It may not know what became of its transaction, so it is not used again.
  client.interfere = () => {};
  await expect(lane.process(input(), 1)).rejects.toMatchObject({ code: 'KAFKA_FENCED' });

  const next = await openLane();
  await next.lane.process(input(), 1);
  expect(output()).toEqual(['a']);
});

test('a commit whose answer is lost is not repeated', async () => {
  produce('a', 'b');
  const first = await openLane();
  first.client.interfere = (at) => {
    if (at === 'committed') throw new Error('no answer');
  };
  await expect(first.lane.process(input().slice(0, 1), 1)).rejects.toThrow('no answer');
  const { lane } = await openLane();
  await lane.process(input(), 2);
  expect(output()).toEqual(['a', 'b']);
});

test('a new lane fences the old one, whatever that one does afterwards', async () => {
  produce('a', 'b');
  const zombie = await openLane();
  await zombie.lane.process(input().slice(0, 1), 1);
  const owner = await openLane();
  const late = zombie.lane.process(input(1), 2);
  await owner.lane.process(input(), 2);
  await expect(late).rejects.toSatisfy(isFenced);
  expect(output()).toEqual(['a', 'b']);
});

test('a process that dies inside a transaction does not hold up its successor', async () => {
  produce('a');
  const dead = await openLane();
  dead.client.interfere = (at) => {
    if (at === 'commit') dead.client.kill();
  };
  void dead.lane.process(input(), 1);
  dead.client.interfere('commit');
  const { lane } = await openLane();
  await lane.process(input(), 1);
  expect(output()).toEqual(['a']);
});

test('a batch without fresh records commits its end only', async () => {
  produce('a');
  const { lane, stage } = await openLane();
  await lane.process(input(), 1);
  await lane.process([], 5);
  expect(committed()).toBe(5);
  await lane.process(input(), 3);
  expect(committed()).toBe(5);
  expect(stage.committed).toEqual([0]);
});

test('a batch that was read before others went on is what they have done, not what was lost', async () => {
  produce('a', 'b');
  const [records, end] = [input(), 2];
  const stalled = await openLane();
  const owner = await openLane();
  produce('c');
  await owner.lane.process(input(), 3);
  // Its process was frozen while it opened a lane for what it had read.
  const { lane } = await openLane();
  await lane.process(records, 2, end);
  expect(committed()).toBe(3);
  expect(output()).toEqual(['a', 'b', 'c']);
  await expect(stalled.lane.process(records, 2, end)).rejects.toSatisfy(isFenced);
});

test('a partition that ends before what was committed has lost records', async () => {
  produce('a', 'b');
  kafka.commitOffset(GROUP, 'in', 0, 5);
  const { lane } = await openLane();
  await expect(lane.process(input(), 2, 2)).rejects.toMatchObject({
    ...{ code: 'KAFKA_LOG_TRUNCATED', disposition: 'fatal' },
  });
  expect(committed()).toBe(5);
  expect(output()).toEqual([]);
});

test('batches are processed one at a time, and the one that comes twice once', async () => {
  produce('a', 'b');
  const { lane, stage } = await openLane();
  let atWork = 0;
  stage.during = async () => {
    atWork++;
    await new Promise(setImmediate);
    expect(atWork).toBe(1);
    atWork--;
  };
  await Promise.all([lane.process(input(), 2), lane.process(input(), 2)]);
  expect(output()).toEqual(['a', 'b']);
});

test('closing waits for the batch under way, and nothing is processed after it', async () => {
  produce('a', 'b');
  const { lane, stage } = await openLane();
  stage.during = () => new Promise(setImmediate);
  const underWay = lane.process(input().slice(0, 1), 1);
  const closing = lane.close();
  await expect(lane.process(input(), 2)).rejects.toMatchObject({ code: 'KAFKA_FENCED' });
  await underWay;
  await closing;
  expect(stage.closed).toBe(true);
  expect(output()).toEqual(['a']);
});

test('while it opens a stage writes and reads back what it wrote, after everything earlier', async () => {
  const first = await openLane();
  await first.stage.onOpen({} as OwnedPartition);
  kafka.produce('log', 0, { value: Buffer.from('old') });
  const stage = new CopyStage();
  const seen: string[] = [];
  stage.onOpen = async (owned) => {
    const value = Buffer.from('barrier');
    const lastOffset = await owned.write([{ topic: 'log', partition: 0, key: null, value }]);
    expect(lastOffset('log', 0)).toBe(1);
    // Never a default: what was not acknowledged is not there.
    expect(() => lastOffset('log', 1)).toThrow('nothing was written');
    await owned.read('log', 0, 0, (records) => {
      seen.push(...records.map((record) => String(record.value)));
      return seen.includes('barrier');
    });
  };
  await openLane({ stage });
  expect(seen).toEqual(['old', 'barrier']);
});

test('what a stage notes is committed with its position, stays through quiet moments, and comes to the next owner', async () => {
  const notes: (string | null)[] = [];
  class NotingStage extends CopyStage {
    private readonly said: string | undefined;

    constructor(said?: string) {
      super();
      this.said = said;
    }

    override async open({ note }: OwnedPartition): Promise<void> {
      notes.push(note);
    }

    override async process(records: readonly InputRecord[]): Promise<Step> {
      const step = await super.process(records);
      return this.said === undefined ? step : { ...step, note: this.said };
    }
  }
  produce('a', 'b');
  const { lane } = await openLane({ stage: new NotingStage('one of two') });
  await lane.process(input().slice(0, 1), 1);
  await lane.process([], 2);
  const { lane: second } = await openLane({ stage: new NotingStage() });
  produce('c');
  await second.process(input(2), 3);
  await openLane({ stage: new NotingStage() });
  expect(notes).toEqual([null, 'one of two', 'one of two']);
  expect(kafka.position(GROUP, 'in', 0)).toEqual({ offset: 3, note: 'one of two' });
});

/** Its brokers have `offset.metadata.max.bytes` set to so many. */
function clientWithNotesUpTo(maxLength: number): PartitionClient {
  const client = new MemoryClient(kafka).partition(GROUP, 'in', 0);
  return {
    ...client,
    transact: async (outputs, position) => {
      if ((position?.note?.length ?? 0) > maxLength) throw createErrorFromCode(OFFSET_METADATA_TOO_LARGE);
      return client.transact(outputs, position);
    },
  };
}

test('a cluster that refuses a note gets none from then on, and the records all the same', async () => {
  class NotingStage extends CopyStage {
    override async process(records: readonly InputRecord[]): Promise<Step> {
      return { ...(await super.process(records)), note: `as far as ${records.at(-1)?.offset}` };
    }
  }
  let told = 0;
  const notes = new Notes(() => {
    told++;
  });
  const open = async (longest: number) => {
    const lane = new Lane({
      ...{ client: clientWithNotesUpTo(longest), partition: 0, notes },
      stage: new NotingStage(),
    });
    await lane.open();
    return lane;
  };
  produce('a', 'b', 'c');
  await (await open(100)).process(input().slice(0, 1), 1);
  expect(kafka.position(GROUP, 'in', 0)).toEqual({ offset: 1, note: 'as far as 0' });
  // Its brokers were started anew, with another setting.
  await expect((await open(10)).process(input(1).slice(0, 1), 2)).rejects.toMatchObject({
    type: 'OFFSET_METADATA_TOO_LARGE',
  });
  expect(committed()).toBe(1);
  const next = await open(10);
  await next.process(input(1).slice(0, 1), 2);
  await next.process(input(2), 3);
  // What the earlier owner noted does not come back in a quiet moment.
  await next.process([], 4);
  expect(output()).toEqual(['a', 'b', 'c']);
  expect(kafka.position(GROUP, 'in', 0)).toEqual({ offset: 4, note: null });
  expect(told).toBe(1);
});

test('another failure keeps the notes', async () => {
  const notes = new Notes(() => expect.unreachable());
  notes.failed(Object.assign(new Error('away'), { type: 'NOT_COORDINATOR_FOR_GROUP' }));
  expect(notes.sent('as before')).toBe('as before');
});
