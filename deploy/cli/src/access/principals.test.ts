import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { partitionTransactionalId } from '@email-events/core';
import { eventTopics, topicCatalogue, topics } from '@email-events/schemas';
import { describe, expect, test } from 'vitest';
import { OWN_TOPICS } from '../dead-letters/put-back.ts';
import { consumerGroups, pipelineConfig } from '../services.ts';
import { accessTable, aclsOf, type Principal, principals } from './principals.ts';

// This test takes the needs of a principal from the code that it runs: it fails if a service begins to use a topic that is not
// allowed, and if a topic is allowed that no code uses.

const root = fileURLToPath(new URL('../../../../', import.meta.url));
const config = pipelineConfig.parse({});
const all = principals(config.kafka.groupPrefix);
const principal = (name: string) => all.find((one) => one.name === name) as Principal;

/** Code of these folders and files, without tests, and without the descriptor that is held against it. */
function codeOf(...paths: string[]): string {
  const files = paths.flatMap((path) =>
    path.endsWith('.ts')
      ? [path]
      : readdirSync(join(root, path), { recursive: true, encoding: 'utf8' })
          .filter(
            (file) => file.endsWith('.ts') && !/\.(test|fixture)\.ts$|^testing\/|^descriptor\.ts$/.test(file),
          )
          .map((file) => `${path}/${file}`),
  );
  return files.map((file) => readFileSync(join(root, file), 'utf8')).join('\n');
}

/** Topics that a pattern's first group names, as `topics.x` or `eventTopics`. */
function topicsIn(code: string, pattern = /\b(topics\.\w+|eventTopics)\b/g): string[] {
  const names = [...code.matchAll(pattern)].flatMap(([, name = '']) => {
    if (name === 'eventTopics' || name === 'topics.events') return eventTopics;
    const topic = topics[name.slice('topics.'.length) as keyof typeof topics];
    return typeof topic === 'string' ? [topic] : [];
  });
  return [...new Set(names)].sort();
}

const sorted = (names: readonly string[]) => [...new Set(names)].sort();

const SERVICES = {
  ingress: ['ingress/src'],
  normalize: ['processors/src/normalize'],
  events: ['processors/src/events'],
  'sink-clickhouse': ['sinks/clickhouse/src', 'core/src/kafka/sink'],
  'sink-crm': ['sinks/crm/src', 'core/src/kafka/sink'],
} as const;

/** Where a sink's records go to that it refuses; where a stage's outputs go to. */
const OUTPUT = /(?:\btopic: |publishAll\(brokers, |'ingress', )(topics\.\w+)/g;
const CHANGELOG = /(?:\.read\(|follow\('\w+', )(topics\.\w+)/g;

describe.each(Object.entries(SERVICES))('%s', (name, folders) => {
  const { reads, writes, groups } = principal(name);
  const member = consumerGroups(config).filter(({ service }) => service === name);
  // The sinks are left out: in their code `topic: ` names a row of ClickHouse. The loop's input is written so too.
  const writing = folders.filter((folder) => !folder.startsWith('sinks/'));
  const inputs = sorted(member.flatMap((group) => [...group.topics]));

  test('may use what its code names, and nothing else', () => {
    // Events are for engagement, which is off by default.
    const isOff = (topic: string) => name === 'sink-crm' && eventTopics.includes(topic);
    const named = topicsIn(codeOf(...folders)).filter((topic) => !isOff(topic));
    expect(sorted([...reads, ...writes])).toEqual(sorted([...named, ...inputs]));
  });

  test('reads its inputs and its changelogs', () => {
    expect(sorted(reads)).toEqual(sorted([...inputs, ...topicsIn(codeOf(...folders), CHANGELOG)]));
    expect(groups).toEqual(member.map(({ group }) => group));
  });

  test('writes its outputs', () => {
    const written = topicsIn(codeOf(...writing), OUTPUT).filter((topic) => {
      // The loop's own input, which no stage writes.
      return !inputs.includes(topic) || name.startsWith('sink-');
    });
    expect(sorted(writes)).toEqual(written);
  });
});

test('the CRM sink may read events where engagement is configured, and of these only what it reads', () => {
  const engaged = pipelineConfig.parse({ sinks: { crm: { engagement: {} } } });
  const crm = principals('shop', undefined, engaged).find((one) => one.name === 'sink-crm');
  expect(crm?.groups).toEqual(['shop-sink-crm', 'shop-sink-crm.engagement']);
  expect(crm?.reads.filter((topic) => eventTopics.includes(topic))).toEqual(
    ['delivered', 'opened', 'clicked'].map((type) => `email.events.${type}`),
  );
});

test('a processor’s transactional ids begin as its principal may have them', () => {
  const code = codeOf('core/src/kafka/transact/partition-client.ts', 'core/src/kafka/transact/loop.ts');
  expect(code).toContain('transactionalId = partitionTransactionalId(groupId, topic, partition)');
  expect(partitionTransactionalId('group', 'topic', 7)).toBe('group-topic-7');
  for (const name of ['normalize', 'events'])
    expect(principal(name).transactionalIds).toEqual(principal(name).groups.map((group) => `${group}-`));
});

describe('operator', () => {
  const folders = [
    'dead-letters',
    'backfill',
    'quarantine',
    'suppressions',
    'crm',
    'marks.ts',
    'commands',
  ].map((name) => `deploy/cli/src/${name}`);
  const code = codeOf(...folders);
  const { reads, writes, transactionalIds, watches } = principal('operator');

  test('reads whatever there is, since tail does', () => {
    expect(sorted(reads)).toEqual(sorted(topicCatalogue(config.topics).map(({ name }) => name)));
  });

  test('writes what commands write', () => {
    const outputs = /(?:\btopic: |: )(topics\.\w+)(?:, value|, partition|,$|;$|, topics)/gm;
    const putBack = topicsIn(codeOf('deploy/cli/src/dead-letters/put-back.ts'));
    const ordered = topicsIn(codeOf('deploy/cli/src/suppressions/orders.ts'), outputs);
    const marked = topicsIn(codeOf('deploy/cli/src/marks.ts'), /outputs\.push\(\{ topic: (topics\.\w+)/g);
    const released = topicsIn(
      codeOf('deploy/cli/src/quarantine', 'ingress/src/quarantine/second-look.ts'),
      /\{ topic: (topics\.\w+), partition/g,
    );
    expect(sorted(writes)).toEqual(sorted([...OWN_TOPICS, ...putBack, ...ordered, ...marked, ...released]));
  });

  test('has a transactional id for each writer that a command opens', () => {
    const opened = [...code.matchAll(/TransactionalWriter\.open\([\w.]+, (?:'([\w-]+)'|name)\)/g)].map(
      ([, name]) => name,
    );
    const named = [...code.matchAll(/const name = `([\w-]+-)\$/g)].map(([, name]) => name);
    expect(opened.length).toBeGreaterThan(2);
    expect(opened.filter((name) => name === undefined)).toHaveLength(named.length);
    const begins = [...opened.filter((name) => name !== undefined), ...named];
    expect(sorted(transactionalIds)).toEqual(
      sorted(begins.map((name) => `${config.kafka.groupPrefix}-${name}`)),
    );
  });

  test('watches every group', () => {
    expect(sorted(watches)).toEqual(sorted(consumerGroups(config).map(({ group }) => group)));
  });
});

test('every topic has somebody who writes it, and somebody who reads it', () => {
  const names = topicCatalogue(config.topics).map(({ name }) => name);
  expect(sorted(all.flatMap(({ writes }) => [...writes]))).toEqual(sorted(names));
  expect(sorted(all.filter(({ name }) => name !== 'operator').flatMap(({ reads }) => [...reads]))).toEqual(
    // Read by operators alone.
    sorted(names.filter((name) => name !== topics.operatorActions && name !== topics.quarantine)),
  );
});

test('the deployer makes every topic, and has no other right', () => {
  const { manages = '', reads, writes } = principal('deployer');
  for (const { name } of topicCatalogue(config.topics)) expect(name.startsWith(manages)).toBe(true);
  expect([reads, writes]).toEqual([[], []]);
});

test('nobody but its owner writes a typed topic or a state, nor reads what holds bodies', () => {
  const writers = (topic: string) =>
    all.filter(({ writes }) => writes.includes(topic)).map(({ name }) => name);
  for (const topic of [...eventTopics, topics.suppressions, topics.seen, topics.recipientState])
    expect(writers(topic)).toEqual(['events']);
  const readers = all.filter(({ reads }) => reads.includes(topics.raw)).map(({ name }) => name);
  expect(readers).toEqual(['normalize', 'operator']);
});

test('rules: one a resource, nothing for everybody', () => {
  const rules = all.flatMap(aclsOf);
  const keys = rules.map(({ principal: who, resource, name, pattern }) =>
    [who, resource, name, pattern].join(' '),
  );
  expect(new Set(keys).size).toBe(keys.length);
  for (const { operations, name } of rules) {
    expect(operations.length).toBeGreaterThan(0);
    expect([...operations, name]).not.toContain('All');
    expect(name).not.toBe('*');
  }
});

test('the table of TRUST.md is this list', () => {
  const page = readFileSync(join(root, 'deploy/TRUST.md'), 'utf8');
  expect(page).toContain(accessTable(all));
});
