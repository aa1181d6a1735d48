import { createKafka, silentLog } from '@email-events/core';
import { consumerGroupsOf } from '@email-events/core/service';
import { type EmailEvent, recipientKey, topics } from '@email-events/schemas';
import { clickhouseSink } from '@email-events/sink-clickhouse/service';
import { expect, test } from 'vitest';
import { eventOf } from '../bench/typed-events.ts';
import { startPipeline } from '../harness/pipeline.ts';
import { vacantStack, waitFor } from '../harness/stack.ts';

const EACH = 300;

test('a database that is lost is restored from a backup, with the positions of the same moment: every event is there once', async (context) => {
  const world = await startPipeline(context, await vacantStack(context), {
    ...{ name: 'backup', settings: { topics: { partitions: 3 } } },
  });
  const { database, url, username, password } = world.config.sinks.clickhouse;
  const encoder = await world.codec.encoder<EmailEvent>(topics.events('delivered'), 'delivered');
  let made = 0;
  const send = async () => {
    const events = Array.from({ length: EACH }, (): EmailEvent => {
      const event_id = (++made).toString(16).padStart(32, '0');
      return { ...eventOf(made), type: 'delivered', event_id };
    });
    await world.produce(
      topics.events('delivered'),
      events.map((event, i) => ({
        key: recipientKey(event.recipient),
        value: encoder.encode(event),
        partition: i % 3,
      })),
    );
  };
  const counts = async () => {
    const [row] = await world.clickhouse.query<{ rows: string; ids: string; hourly: string }>(
      `SELECT count() AS rows, uniqExact(event_id) AS ids, (SELECT sum(events) FROM ${database}.email_events_hourly) AS hourly
       FROM ${database}.email_events`,
    );
    return row && [row.rows, row.ids, row.hourly].map(Number);
  };
  /** Runs the sink until it has written all. A sink that has stopped has committed what it wrote. */
  const writeAll = async (of: number) => {
    const sink = world.launch('sink-clickhouse');
    await sink.ready;
    await waitFor(`${of} rows`, async () => (await counts())?.[0] === of);
    expect(await sink.terminate(30_000)).toMatchObject({ code: 0 });
  };
  // A backup to memory lives as long as its session.
  const inSession = async (sql: string) => {
    const at = new URL(url);
    at.search = new URLSearchParams({ session_id: database, session_timeout: '600' }).toString();
    const headers = { 'x-clickhouse-user': username, 'x-clickhouse-key': String(password?.reveal() ?? '') };
    const answer = await fetch(at, { method: 'POST', headers, body: sql });
    expect(answer.status, await answer.text()).toBe(200);
  };
  const [{ group = '' } = {}] = consumerGroupsOf(
    clickhouseSink,
    world.config.kafka.groupPrefix,
    world.config,
  );
  const admin = createKafka(world.config.kafka, 'backup', silentLog).admin();
  context.onTestFinished(() => admin.disconnect());
  await admin.connect();

  await send();
  await writeAll(EACH);
  const positions = await admin.fetchOffsets({ groupId: group, topics: [topics.events('delivered')] });
  await inSession(`BACKUP DATABASE ${database} TO Memory('now')`);
  await send();
  await writeAll(2 * EACH);

  await inSession(`DROP DATABASE ${database} SYNC`);
  await inSession(`RESTORE DATABASE ${database} FROM Memory('now')`);
  expect(await counts()).toEqual([EACH, EACH, EACH]);
  for (const { topic, partitions } of positions) {
    const known = partitions.map(({ partition, offset }) => ({
      partition,
      offset: offset === '-1' ? '0' : offset,
    }));
    await admin.setOffsets({ groupId: group, topic, partitions: known });
  }
  await writeAll(2 * EACH);
  expect(await counts()).toEqual([2 * EACH, 2 * EACH, 2 * EACH]);
});
