import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Kafka, logLevel } from 'kafkajs';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { choosePorts } from '../../ports.ts';
import { kafkaAnswers } from '../../probes.ts';
import { anyFolder, foreignFolder, type ImageRun, runImage } from '../../testing/run-image.ts';
import { connectEngine, type Engine } from '../engine.ts';
import { provideImage } from './choose.ts';

// The properties that the stack relies on, of the public image or of its stand-in.

const DATA = '/var/lib/kafka/data';
const STOP_SECONDS = 30;
const SMALL = {
  KAFKA_HEAP_OPTS: '-Xmx384m',
  KAFKA_JVM_PERFORMANCE_OPTS: '-XX:+UseSerialGC -XX:TieredStopAtLevel=1',
};

let engine: Engine;
let image: string;

beforeAll(async () => {
  engine = await connectEngine();
  ({ reference: image } = await provideImage('kafka', { engine, env: process.env, onProgress: () => {} }));
});

/** One broker whose clients outside come to a port of this machine. */
async function broker(over: Partial<ImageRun> = {}) {
  const { port } = await choosePorts({ port: {} });
  const env = {
    ...SMALL,
    CLUSTER_ID: 'aW1hZ2UtY29udHJhY3QtMQ',
    KAFKA_PROCESS_ROLES: 'broker,controller',
    KAFKA_NODE_ID: '1',
    KAFKA_CONTROLLER_QUORUM_VOTERS: '1@localhost:9093',
    KAFKA_CONTROLLER_LISTENER_NAMES: 'CONTROLLER',
    KAFKA_LISTENERS: 'PLAINTEXT://0.0.0.0:9092,CONTROLLER://localhost:9093',
    KAFKA_ADVERTISED_LISTENERS: `PLAINTEXT://${engine.host}:${port}`,
    KAFKA_LISTENER_SECURITY_PROTOCOL_MAP: 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR: '1',
    KAFKA_LOG_DIRS: DATA,
    ...over.env,
  };
  const container = await runImage(engine, { image, ports: { 9092: port }, ...over, env });
  await container.until(() => kafkaAnswers(engine.host, port));
  const brokers = [`${engine.host}:${port}`];
  const admin = new Kafka({ brokers, logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  onTestFinished(() => admin.disconnect());
  return { container, admin };
}

test('variables become settings by the rule of the public image', async () => {
  const { container, admin } = await broker({
    env: { KAFKA_NUM_PARTITIONS: '7', KAFKA_ONE___TWO__THREE_FOUR: 'five six' },
  });
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [{ type: 4, name: '1', configNames: ['num.partitions', 'log.dirs'] }],
  });
  const values = resources[0]?.configEntries.map(({ configName, configValue }) => [configName, configValue]);
  expect(Object.fromEntries(values ?? [])).toEqual({ 'num.partitions': '7', 'log.dirs': DATA });
  const written = (await container.exec('cat', '/opt/kafka/config/server.properties')).split('\n');
  expect(written).toContain('one-two_three.four=five six');
  // Those for Java are none of the broker's.
  expect(written.filter((line) => /^(heap|jvm|cluster)/.test(line))).toEqual([]);
});

test('a mounted file of settings is the base that variables add to', async () => {
  const mounted = await anyFolder();
  const settings = [
    'process.roles=broker,controller',
    'node.id=1',
    'controller.quorum.voters=1@localhost:9093',
    'controller.listener.names=CONTROLLER',
    'listeners=PLAINTEXT://:9092,CONTROLLER://:9093',
    'advertised.listeners=PLAINTEXT://localhost:9092',
    `log.dirs=${DATA}`,
  ];
  await writeFile(join(mounted, 'server.properties'), `${settings.join('\n')}\n`);
  const container = await runImage(engine, {
    image,
    env: { ...SMALL, KAFKA_NUM_PARTITIONS: '9' },
    mounts: { [mounted]: '/mnt/shared/config' },
    ports: { 9092: 0 },
  });
  const port = await container.port(9092);
  await container.until(() => kafkaAnswers(engine.host, port));
  const written = (await container.exec('cat', '/opt/kafka/config/server.properties')).split('\n');
  expect(written).toEqual(expect.arrayContaining([...settings, 'num.partitions=9']));
});

test('it runs without any settings', async () => {
  const container = await runImage(engine, { image, env: SMALL, ports: { 9092: 0 } });
  const port = await container.port(9092);
  await container.until(() => kafkaAnswers(engine.host, port));
  expect((await container.exec('id', '-u', 'appuser')).trim()).toBe('1000');
});

test('topics outlive the container, whose user the image need not know', async () => {
  const { folder, user } = await foreignFolder();
  const over = { user, mounts: { [folder]: DATA } };
  const first = await broker(over);
  await first.admin.createTopics({ topics: [{ topic: 'kept', numPartitions: 3 }] });
  expect([0, 143]).toContain(await first.container.stop(STOP_SECONDS));
  await first.container.remove();

  const second = await broker(over);
  const { topics } = await second.admin.fetchTopicMetadata({ topics: ['kept'] });
  expect(topics[0]?.partitions).toHaveLength(3);
});

test('a setting that Kafka refuses ends it with what Kafka says', async () => {
  const container = await runImage(engine, {
    image,
    env: { ...SMALL, KAFKA_PROCESS_ROLES: 'waiter', KAFKA_NODE_ID: '1' },
  });
  expect(await container.ended()).not.toBe(0);
  expect(await container.log()).toMatch(/process\.roles/);
});
