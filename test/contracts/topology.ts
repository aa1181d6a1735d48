import { type OperatorAction, partitionOf } from '@email-events/schemas';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { backlogIn, imbalanceIn, violationsIn } from '../src/invariants.ts';
import { type Member, type Outputs, PARTITIONS, type TopologyDriver, Traffic } from './topology/driver.ts';

/**
 * The promises of normalize and events together, on any Kafka. The cases build on each other: they share one pipeline,
 * its state and its topics, and after each of them everything that was ever sent must be there once.
 */
export function topologyContract(name: string, createDriver: () => Promise<TopologyDriver>): void {
  describe(`topology contract: ${name}`, () => {
    const traffic = new Traffic();
    let driver: TopologyDriver;
    let normalize: Member;
    let events: Member;
    let outputs: Outputs;

    const settle = async () => {
      await driver.idle();
      outputs = await driver.outputs();
      return outputs;
    };
    const named = (event: { name: string }) => outputs.events.filter((found) => found.name === event.name);
    const restartEvents = async (between: () => Promise<void> = async () => {}) => {
      await events.stop();
      await between();
      events = await driver.startEvents('a');
    };

    beforeAll(async () => {
      driver = await createDriver();
      normalize = await driver.startNormalize();
      events = await driver.startEvents('a');
    });
    afterAll(() => driver?.close());

    // Every case must leave this behind.
    afterEach(async () => {
      await settle();
      expect(violationsIn(traffic.sent, outputs.events)).toEqual([]);
      expect(imbalanceIn(outputs.totals, outputs.events)).toEqual([]);
      expect(backlogIn(await driver.positions())).toEqual([]);
    });

    test('an event comes out on the topic of its type, on its recipient’s partition', async () => {
      const types = ['queued', 'delivered', 'deferred', 'opened', 'clicked', 'dropped', 'other'];
      const sent = types.map((type, i) => traffic.event(type, `User${i}@Example.com`));
      await driver.receive([traffic.request(sent)]);
      await settle();
      for (const event of sent) {
        const key = event.recipient.toLowerCase();
        expect(named(event)).toMatchObject([
          {
            type: event.type,
            topic: `email.events.${event.type}`,
            key,
            partition: partitionOf(key, PARTITIONS),
          },
        ]);
      }
    });

    test('a request that is sent twice, and an event in two requests, count once', async () => {
      const [first, second] = [
        traffic.event('opened', 'dup@example.com'),
        traffic.event('clicked', 'dup@example.com'),
      ];
      const before = outputs.totals.duplicates;
      const request = traffic.request([first, second]);
      await driver.receive([request, request, traffic.request([second]), traffic.request([first, first])]);
      await settle();
      expect(named(first)).toHaveLength(1);
      expect(named(second)).toHaveLength(1);
      expect(outputs.totals.duplicates - before).toBe(5);
    });

    test('an absent id is no duplicate of an absent id', async () => {
      const without = (more: { readonly id?: unknown }) =>
        traffic.event('opened', 'nameless@example.com', more);
      const [a, b, c, d] = [
        without({ id: null }),
        without({ id: null }),
        without({ id: undefined }),
        without({ id: '' }),
      ];
      await driver.receive([traffic.request([a, b], 'hook-1'), traffic.request([c, d], 'hook-2')]);
      await driver.receive([traffic.request([a, b], 'hook-1')]);
      await settle();
      expect([a, b, c, d].map((event) => named(event).length)).toEqual([1, 1, 1, 1]);
    });

    test('a bad item is a dead letter alone, an unreadable body one for all', async () => {
      const good = [traffic.event('opened', 'good@example.com'), traffic.event('opened', 'good@example.com')];
      const [first, second] = good as [(typeof good)[0], (typeof good)[0]];
      const bad = { type: 'opened', note: 'no recipient' };
      const request = traffic.request([first, { bad }, second]);
      const body = Buffer.from([0xff, 0x00, 0xfe]);
      await driver.receive([request, { body, webhookId: 'unreadable', partition: 0 }]);
      await settle();
      expect(good.map((event) => named(event).length)).toEqual([1, 1]);
      const letters = outputs.deadLetters.filter(({ origin_topic }) => origin_topic === 'email.raw');
      expect(letters).toHaveLength(2);
      const item = letters.find(({ item_index }) => item_index === 1);
      expect(JSON.parse(String(item?.item))).toEqual(bad);
      expect(String(item?.value)).toBe(request.body);
      const whole = letters.find(({ item_index }) => item_index === null);
      expect(whole).toMatchObject({ stage: 'normalize', code: 'NORMALIZE_BODY_UNREADABLE' });
      expect(whole?.value?.equals(body)).toBe(true);
    });

    test('a record that cannot be read does not hold up its partition', async () => {
      const event = traffic.event('opened', 'behind@example.com');
      const partition = partitionOf('behind@example.com', PARTITIONS);
      const poison = [Buffer.from('poison'), Buffer.from([0, 0, 1, 226, 64, 1, 2, 3])];
      const places = [];
      for (const value of poison) places.push(await driver.writeInternal(partition, value));
      await driver.receive([traffic.request([event])]);
      await settle();
      expect(named(event)).toHaveLength(1);
      for (const [i, { offset }] of places.entries()) {
        const letter = outputs.deadLetters.find(
          (found) => found.stage === 'events' && found.origin_offset === offset,
        );
        expect(letter).toMatchObject({ code: 'EVENTS_RECORD_UNREADABLE', origin_partition: partition });
        expect(letter?.value?.equals(poison[i] as Buffer)).toBe(true);
      }
    });

    test('what an aborted transaction leaves behind is passed over, also when nothing follows', async () => {
      const { received } = outputs.totals;
      for (let partition = 0; partition < PARTITIONS; partition++) {
        await driver.abortInternal(partition, Buffer.from('aborted'));
      }
      // Waits for offsets that are committed up to the end.
      await settle();
      expect(outputs.totals.received).toBe(received);
    });

    test('what suppresses is told with the newest state of the recipient', async () => {
      const bounce = traffic.event('bounced', 'Gone@Example.com', { bounce_class: 'hard' });
      const leave = traffic.event('unsubscribed', 'leaver@example.com', { scope: 'news' });
      await driver.receive([traffic.request([bounce]), traffic.request([leave])]);
      await settle();
      const of = (key: string) => outputs.suppressions.filter(({ recipient }) => recipient === key);
      expect(of('gone@example.com')).toMatchObject([
        { suppressed: true, reasons: [{ reason: 'hard_bounce', event_id: named(bounce)[0]?.eventId }] },
      ]);
      expect(of('leaver@example.com')).toMatchObject([
        { reasons: [{ reason: 'unsubscribe', scope: 'news' }] },
      ]);
      const back = traffic.event('subscribed', 'leaver@example.com', { scope: 'news' });
      const late = traffic.event('delivered', 'gone@example.com');
      await driver.receive([traffic.request([back]), traffic.request([late])]);
      await settle();
      expect(of('leaver@example.com').at(-1)).toMatchObject({ suppressed: false, reasons: [] });
      expect(of('gone@example.com')).toHaveLength(1);
    });

    test('an operator’s order is taken once, among the events of its recipient, and kept when the disk is lost', async () => {
      const recipient = 'called@example.com';
      const before = Date.now() - 1_000;
      const order = (kind: 'suppress' | 'lift', n: number): OperatorAction => ({
        ...{ action_id: String(n).repeat(32), kind, recipient, at: before + n },
        ...{ by: 'op', why: 'asked by phone', reason: null },
        ...{ scope: null, source: null, from: null, to: null, changed: null, taken_at: null },
      });
      const complaint = traffic.event('complained', recipient);
      await driver.receive([traffic.request([complaint])]);
      await driver.idle();
      const [suppress, lift] = [order('suppress', 5), order('lift', 6)];
      for (const action of [suppress, suppress, lift]) await driver.order(action);
      await settle();
      const states = () => outputs.suppressions.filter((state) => state.recipient === recipient);
      expect(outputs.actions).toMatchObject([
        { action_id: suppress.action_id, changed: true },
        { action_id: lift.action_id, changed: true },
      ]);
      expect(states().at(-1)).toMatchObject({ suppressed: false, reasons: [], event_id: lift.action_id });
      await restartEvents(() => driver.loseDisk('a'));
      // A complaint from before the lift does not count, nor does the order again.
      await driver.receive([traffic.request([traffic.event('complained', recipient)])]);
      await driver.order(suppress);
      await settle();
      expect(outputs.actions).toHaveLength(2);
      expect(states().at(-1)).toMatchObject({ suppressed: false, reasons: [] });
      const revisions = states().map(({ revision }) => revision);
      expect(revisions).toEqual([...new Set(revisions)].sort((a, b) => a - b));
    });

    test('a duplicate that comes late is known after a restart, and after the disk was lost', async () => {
      const event = traffic.event('opened', 'late@example.com');
      await driver.receive([traffic.request([event])]);
      await driver.idle();
      await restartEvents();
      await driver.receive([traffic.request([event])]);
      await settle();
      expect(named(event)).toHaveLength(1);
      const { duplicates } = outputs.totals;
      await restartEvents(() => driver.loseDisk('a'));
      await driver.receive([traffic.request([event])]);
      await settle();
      expect(named(event)).toHaveLength(1);
      expect(outputs.totals.duplicates - duplicates).toBe(1);
    });

    test('members come and go in the middle of it', async () => {
      const requests = traffic.burst(120);
      const [first, second, third] = [requests.slice(0, 40), requests.slice(40, 80), requests.slice(80)];
      await driver.receive(first);
      const joining = Promise.all([driver.startEvents('b'), driver.startNormalize()]);
      await driver.receive(second);
      const [otherEvents, otherNormalize] = await joining;
      await driver.receive(third);
      await Promise.all([events.stop(), normalize.stop()]);
      [events, normalize] = [otherEvents, otherNormalize];
    });

    test('processes are killed in the middle of it', async () => {
      const requests = traffic.burst(160);
      for (let i = 0; i < 2; i++) {
        await driver.receive(requests.slice(i * 60, i * 60 + 60));
        await Promise.all([events.kill(), normalize.kill()]);
        [events, normalize] = await Promise.all([driver.startEvents('b'), driver.startNormalize()]);
      }
      await driver.receive(requests.slice(120));
    });

    test('a process that was believed dead writes nothing twice', async () => {
      await driver.receive(traffic.burst(40));
      const [zombieEvents, zombieNormalize] = [events, normalize];
      zombieEvents.freeze();
      zombieNormalize.freeze();
      [events, normalize] = await Promise.all([driver.startEvents('c'), driver.startNormalize()]);
      await driver.receive(traffic.burst(40));
      await driver.idle();
      await driver.receive(traffic.burst(40));
      zombieEvents.thaw();
      zombieNormalize.thaw();
      await driver.receive(traffic.burst(40));
      await settle();
      await Promise.all([zombieEvents.stop(), zombieNormalize.stop()]);
    });
  });
}
