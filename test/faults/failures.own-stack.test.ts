import { rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ServiceName } from '../harness/service-process.ts';
import { fileScope, waitFor } from '../harness/stack.ts';
import { type Chain, startChain } from './chain.ts';

// deploy/FAILURES.md says what happens when a dependency fails; here it happens. One chain for all, since starting it
// takes longest: every test leaves all well behind and everything that was sent in ClickHouse, once.
const file = fileScope();
let chain: Chain;

beforeAll(async () => {
  chain = await startChain(file.scope);
}, 180_000);

afterAll(() => file.end(), 120_000);

const isOk = async (name: ServiceName) => (await chain.service(name).readiness()).status === 200;
const says = async (name: ServiceName, dependency: string, code: string) =>
  (await chain.service(name).readiness()).dependencies[dependency] === code;

const allOk = () =>
  waitFor(
    'all are ready',
    async () => (await Promise.all([...chain.services.keys()].map(isOk))).every(Boolean),
    60_000,
  );

describe('at start', () => {
  it('processors wait for a registry that is not there yet; a sink starts without', async () => {
    await chain.proxies.registry.stop();
    const [normalize, events] = [await chain.start('normalize'), await chain.start('events')];
    const sink = await chain.start('sink-clickhouse');
    for (const service of [normalize, events]) {
      await waitFor('it says what it waits for', () => service.log().includes('REGISTRY_UNREACHABLE'));
    }
    await sink.ready;
    await chain.proxies.registry.start();
    await Promise.all([normalize.ready, events.ready]);
    await allOk();
    await chain.send(500);
    await chain.expectAllOnce();
  });
});

describe('the broker', () => {
  it('is slow: everything comes, later', async () => {
    chain.proxies.kafka.delay(100);
    await chain.send(300);
    await chain.expectAllOnce();
    chain.proxies.kafka.delay(0);
    await allOk();
  });

  it('is away: all services say so, and go on by themselves', async () => {
    await chain.send(2_000);
    await chain.proxies.kafka.stop();
    for (const name of ['normalize', 'events', 'sink-clickhouse'] as const) {
      await waitFor(`${name} says so`, () => says(name, 'kafka', 'KAFKA_UNREACHABLE'), 60_000);
    }
    await chain.send(500);
    await chain.proxies.kafka.start();
    await chain.expectAllOnce();
    await allOk();
  });
});

describe('the registry', () => {
  it('is away: what is known flows on; a record of a schema that is not waits, and is not given up', async () => {
    await chain.proxies.registry.stop();
    await chain.send(300);
    await chain.expectAllOnce();
    // Another process knows nothing yet.
    const sink = await chain.start('sink-clickhouse');
    await sink.ready;
    await chain.send(300);
    await waitFor('it says so', () => says('sink-clickhouse', 'registry', 'REGISTRY_UNREACHABLE'), 60_000);
    await chain.proxies.registry.start();
    await chain.expectAllOnce();
    expect(await sink.metric(/^email_events_sink_records_total\{.*dead-lettered/)).toBe(0);
    await allOk();
  });
});

describe('ClickHouse', () => {
  it('is away: rows wait', async () => {
    await chain.proxies.clickhouse.stop();
    await chain.send(500);
    const code = 'SINK_CLICKHOUSE_UNAVAILABLE';
    await waitFor('it says so', () => says('sink-clickhouse', 'clickhouse', code));
    const retries = new RegExp(`^email_events_sink_retries_total\\{.*${code}`);
    expect(await chain.service('sink-clickhouse').metric(retries)).toBeGreaterThan(0);
    await chain.proxies.clickhouse.start();
    await chain.expectAllOnce();
    await allOk();
  });

  it('has lost a table in the middle of a migration: rows wait until it is back', async () => {
    await chain.pipeline.clickhouse.command('RENAME TABLE email_events TO being_migrated');
    await chain.send(500);
    await waitFor('it says so', () => says('sink-clickhouse', 'clickhouse', 'SINK_CLICKHOUSE_SCHEMA'));
    await chain.pipeline.clickhouse.command('RENAME TABLE being_migrated TO email_events');
    await chain.expectAllOnce();
    await allOk();
  });
});

describe('the disk under the state of events', () => {
  it('is full: nothing comes out that would not be remembered; with room it goes on by itself', async () => {
    await chain.service('events').stop();
    const events = await chain.start('events', chain.storeBytes() + 50_000);
    await events.ready;
    await chain.send(10_000);
    // While records come, the store is given every few seconds what has come.
    const noticed = async () => {
      await chain.send(50);
      return says('events', 'state', 'STATE_DISK_FULL');
    };
    await waitFor('it says so', noticed, 60_000);
    const failures = /^email_events_transaction_failures_total\{.*STATE_DISK_FULL/;
    await waitFor('it is tried again', async () => (await events.metric(failures)) > 2);
    expect(await isOk('events')).toBe(false);
    await events.limitFiles(undefined);
    await chain.expectAllOnce();
    await allOk();
    expect(events.log()).not.toContain('STATE_UNUSABLE');
    // The next process that opens the store can use it too.
    await chain.send(500);
    await (await chain.start('events')).ready;
    await chain.expectAllOnce();
  }, 180_000);

  it('is lost: the state comes back from the changelog, with the totals; until then it says so', async () => {
    await chain.service('events').stop();
    rmSync(chain.pipeline.config.events.stateDir, { recursive: true });
    await chain.send(500);
    chain.proxies.kafka.delay(150);
    const events = await chain.start('events');
    await events.ready;
    await waitFor('it says so', () => says('events', 'state', 'STATE_RESTORING'), 60_000);
    chain.proxies.kafka.delay(0);
    await chain.expectAllOnce();
    await allOk();
    expect(await events.metric(/^email_events_restored_records_total/)).toBeGreaterThan(0);
    expect(await events.metric(/^email_events_restore_remaining_offsets/)).toBe(0);
  });
});
