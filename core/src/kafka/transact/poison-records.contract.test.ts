import fc from 'fast-check';
import { beforeEach, expect, test } from 'vitest';
import { PipelineError } from '../../errors.ts';
import { MemoryClient, MemoryKafka } from '../testing/memory-kafka.ts';
import { type FaultOf, PoisonStage } from '../testing/poison-stage.ts';
import { Lane } from './lane.ts';
import { ATTEMPTS, Isolation } from './poison-records.ts';

const GROUP = 'group';
let kafka: MemoryKafka;
beforeEach(() => {
  kafka = new MemoryKafka();
});

const isPoison: FaultOf = ({ value }) =>
  String(value).startsWith('poison') ? new RangeError('too many arguments') : undefined;
const produce = (...texts: string[]) => {
  for (const text of texts) kafka.produce('in', 0, { value: Buffer.from(text) });
};
const textsOf = (topic: string) => kafka.committed(topic, 0).map(({ value }) => String(value));

async function openLane(stage = new PoisonStage(isPoison), isolation = new Isolation()) {
  const client = new MemoryClient(kafka);
  const lane = new Lane({ client: client.partition(GROUP, 'in', 0), partition: 0, stage, isolation });
  await lane.open();
  return { lane, stage, client };
}

const all = (lane: Lane) => {
  const records = kafka.committed('in', 0, lane.position);
  return lane.process(records, kafka.end('in', 0));
};

test('one record of a thousand that cannot be processed is set aside alone, after some attempts', async () => {
  produce(...Array.from({ length: 1_000 }, (_, i) => (i === 700 ? 'poison' : `good ${i}`)));
  const { lane, stage } = await openLane();
  await all(lane);
  expect(textsOf('letters')).toEqual(['poison']);
  expect(textsOf('out')).toHaveLength(999);
  expect(stage.attempts).toEqual([ATTEMPTS]);
  // Ten halvings, the attempts, and the pieces that were good.
  expect(stage.asked.length).toBeLessThan(10 + ATTEMPTS + 11);
  expect(kafka.committedOffset(GROUP, 'in', 0)).toBe(1_000);
});

test('whatever is poison among whatever many: the good come out once and in order, the others once each', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.boolean(), { minLength: 1, maxLength: 60 }), async (poisoned) => {
      kafka = new MemoryKafka();
      const texts = poisoned.map((poison, i) => `${poison ? 'poison' : 'good'} ${i}`);
      produce(...texts);
      const { lane } = await openLane();
      await all(lane);
      expect(textsOf('out')).toEqual(texts.filter((text) => text.startsWith('good')));
      expect(textsOf('letters')).toEqual(texts.filter((text) => text.startsWith('poison')));
      expect(kafka.committedOffset(GROUP, 'in', 0)).toBe(texts.length);
    }),
    { numRuns: 25 },
  );
}, 60_000);

test('halving goes on where it was when its lane is replaced, whatever the next batch holds', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.boolean(), { minLength: 2, maxLength: 30 }),
      fc.array(fc.nat({ max: 12 }), { minLength: 1, maxLength: 8 }),
      async (poisoned, outages) => {
        kafka = new MemoryKafka();
        const texts = poisoned.map((poison, i) => `${poison ? 'poison' : 'good'} ${i}`);
        produce(...texts);
        const isolation = new Isolation();
        const due = [...outages];
        for (let done = false; !done; ) {
          const { lane, client } = await openLane(new PoisonStage(isPoison), isolation);
          let transactions = due.shift() ?? Number.POSITIVE_INFINITY;
          client.interfere = (moment) => {
            // Before or after the commit: the answer is lost either way.
            if (moment === (due.length % 2 === 0 ? 'commit' : 'committed') && transactions-- <= 0)
              throw Object.assign(new Error(), { code: 'ECONNRESET' });
          };
          done = await all(lane).then(
            () => true,
            () => false,
          );
        }
        expect(textsOf('out')).toEqual(texts.filter((text) => text.startsWith('good')));
        expect(textsOf('letters')).toEqual(texts.filter((text) => text.startsWith('poison')));
      },
    ),
    { numRuns: 25 },
  );
}, 60_000);

test('a record whose outputs the broker refuses for good is found as well, one lane after the other', async () => {
  produce('a', 'b', 'large', 'c');
  const stage = new PoisonStage(() => undefined);
  const isolation = new Isolation();
  let lanes = 0;
  for (let done = false; !done; lanes++) {
    const { lane, client } = await openLane(stage, isolation);
    const partition = client.partition(GROUP, 'in', 0);
    await partition.open();
    const fussy = new Lane({
      client: {
        ...partition,
        transact: async (outputs, position) => {
          const tooLarge = outputs.some(({ topic, value }) => topic === 'out' && String(value) === 'large');
          if (tooLarge) throw Object.assign(new Error(), { type: 'MESSAGE_TOO_LARGE' });
          return partition.transact(outputs, position);
        },
      },
      ...{ partition: 0, stage, isolation },
    });
    await lane.close();
    await fussy.open();
    done = await all(fussy).then(
      () => true,
      () => false,
    );
  }
  expect(textsOf('out')).toEqual(['a', 'b', 'c']);
  expect(textsOf('letters')).toEqual(['large']);
  expect(lanes).toBeLessThan(10);
});

test.each([
  ['a dependency', new PipelineError('STATE_DISK_FULL', 'retry', '')],
  ['the network', Object.assign(new Error(), { code: 'ECONNREFUSED' })],
  [
    'the network, by fetch',
    new TypeError('fetch failed', { cause: Object.assign(new Error(), { code: 'ENOTFOUND' }) }),
  ],
  ['a registry', Object.assign(new Error(), { code: 'REGISTRY_UNREACHABLE' })],
  ['a broker', Object.assign(new Error(), { type: 'NOT_LEADER_FOR_PARTITION', code: 6 })],
])('an outage of %s is no record’s fault: the batch waits as a whole', async (_, outage) => {
  produce('a', 'b');
  const { lane, stage } = await openLane(new PoisonStage(() => outage));
  await expect(all(lane)).rejects.toBe(outage);
  expect(stage.asked).toEqual([2]);
  expect(textsOf('letters')).toEqual([]);
  expect(kafka.committedOffset(GROUP, 'in', 0)).toBe(-1);
});

test.each([
  ['the language', new TypeError('x is not a function')],
  ['Node', Object.assign(new RangeError(), { code: 'ERR_OUT_OF_RANGE' })],
  ['an error that says nothing more', new Error('no')],
  ['any thrown value', 'no'],
  ['what says itself that it is the record', new PipelineError('EVENTS_RECORD_UNREADABLE', 'deadletter', '')],
])('an error of %s is the record’s', async (_, fault) => {
  produce('a', 'b');
  const { lane } = await openLane(
    new PoisonStage(({ value }) => (String(value) === 'a' ? fault : undefined)),
  );
  await all(lane);
  expect([textsOf('letters'), textsOf('out')]).toEqual([['a'], ['b']]);
});

test('what failed for a moment only is not set aside', async () => {
  produce('a', 'b');
  let failures = 2;
  const { lane } = await openLane(
    new PoisonStage(() => (failures-- > 0 ? new RangeError('Array buffer allocation failed') : undefined)),
  );
  await all(lane);
  expect([textsOf('letters'), textsOf('out')]).toEqual([[], ['a', 'b']]);
});

test('a commit whose answer is lost while records are told apart passes none of them', async () => {
  produce('good', 'poison');
  const isolation = new Isolation();
  const first = await openLane(new PoisonStage(isPoison), isolation);
  first.client.interfere = (moment) => {
    if (moment === 'committed') throw Object.assign(new Error(), { code: 'ECONNRESET' });
  };
  await expect(all(first.lane)).rejects.toMatchObject({ code: 'ECONNRESET' });
  const { lane, stage } = await openLane(new PoisonStage(isPoison), isolation);
  await all(lane);
  expect([textsOf('out'), textsOf('letters')]).toEqual([['good'], ['poison']]);
  expect(stage.asked).not.toContain(0);
});

test('a stage that takes no record ends the loop, rather than have one passed', async () => {
  produce('a');
  class Lazy extends PoisonStage {
    override async process() {
      return { outputs: [], taken: 0 };
    }
  }
  const { lane } = await openLane(new Lazy(() => undefined));
  await expect(all(lane)).rejects.toMatchObject({ code: 'SERVICE_UNEXPECTED', disposition: 'fatal' });
  expect(kafka.committedOffset(GROUP, 'in', 0)).toBe(-1);
});

test('a stage takes as many records a transaction as it wants', async () => {
  produce('a', 'b', 'c', 'd', 'e');
  class TwoAtATime extends PoisonStage {
    override async process(records: Parameters<PoisonStage['process']>[0]) {
      return { ...(await super.process(records.slice(0, 2))), taken: Math.min(2, records.length) };
    }
  }
  const { lane } = await openLane(new TwoAtATime(() => undefined));
  await all(lane);
  expect(textsOf('out')).toEqual(['a', 'b', 'c', 'd', 'e']);
  expect(kafka.committedOffset(GROUP, 'in', 0)).toBe(5);
  // Each transaction left its marker.
  expect(kafka.end('out', 0)).toBe(8);
});

test('who waits for a lane to end does not wait for all the rest of its batch', async () => {
  produce('a', 'b', 'c');
  class OneAtATime extends PoisonStage {
    override async process(records: Parameters<PoisonStage['process']>[0]) {
      return { ...(await super.process(records.slice(0, 1))), taken: 1 };
    }
  }
  const { lane } = await openLane(new OneAtATime(() => undefined));
  const batch = all(lane);
  await Promise.all([expect(batch).rejects.toMatchObject({ code: 'KAFKA_FENCED' }), lane.close()]);
  expect(textsOf('out')).toEqual(['a']);
  const next = await openLane();
  await all(next.lane);
  expect(textsOf('out')).toEqual(['a', 'b', 'c']);
});
