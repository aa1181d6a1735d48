import { consumerGroups } from '@email-events/cli/services';
import { composeConfig, type KafkaSettings, Secret, withAdmin } from '@email-events/core';
import type { StackAddresses } from '@email-events/dev/stack';
import { subjects, topicCatalogue } from '@email-events/schemas';
import { type ClickHouse, connect } from '@email-events/sink-clickhouse';
import { clickhouseSink } from '@email-events/sink-clickhouse/service';
import { isOfTest } from './isolation.ts';
import { waitFor } from './wait.ts';

const reader = composeConfig([clickhouseSink]);
const DEFAULTS = reader.parse({});
const TOPICS = new Set(topicCatalogue(DEFAULTS.topics).map(({ name }) => name));
const SUBJECTS = new Set(subjects.map(({ name }) => name));
const GROUPS = new Set<string>(consumerGroups(DEFAULTS).map(({ group }) => group));
/** Left by a reader of a changelog for a group: empty, and gone by themselves after a while. */
const OF_RESTORE = /-restore-[0-9a-f-]{36}$/;
const DATABASES = new Set([DEFAULTS.sinks.clickhouse.database]);

/** Names of the topics, subjects, databases and groups that a pipeline, or the tests, have on a stack. */
interface Traces {
  readonly topics: string[];
  readonly subjects: string[];
  readonly databases: string[];
  readonly groups: string[];
}

/** The traces of a pipeline under its fixed names. Groups are left out: an empty one says nothing. */
export async function pipelineTraces(stack: StackAddresses): Promise<string[]> {
  const { topics, subjects: named, databases } = await find(stack);
  return [
    ...topics.filter((topic) => TOPICS.has(topic)).map((name) => `topic ${name}`),
    ...named.filter((subject) => SUBJECTS.has(subject)).map((name) => `subject ${name}`),
    ...databases.filter((database) => DATABASES.has(database)).map((name) => `database ${name}`),
  ];
}

/** Removes topics and subjects of the pipeline. No other test or pipeline may be at work on the stack. */
export async function removePipelineTopics(stack: StackAddresses): Promise<void> {
  const { topics, subjects: named } = await find(stack);
  await Promise.all([
    removeTopics(
      stack,
      topics.filter((topic) => TOPICS.has(topic)),
    ),
    removeSubjects(
      stack,
      named.filter((subject) => SUBJECTS.has(subject)),
    ),
  ]);
}

/** Removes everything of the pipeline and of tests, of this run and of earlier ones. */
export async function sweep(stack: StackAddresses): Promise<void> {
  const { topics, subjects: named, databases, groups } = await find(stack);
  const isOurs = (fixed: ReadonlySet<string>) => (name: string) => fixed.has(name) || isOfTest(name);
  await Promise.all([
    removeTopics(stack, topics.filter(isOurs(TOPICS))),
    removeSubjects(stack, named.filter(isOurs(SUBJECTS))),
    removeGroups(
      stack,
      groups.filter((group) => isOurs(GROUPS)(group.replace(OF_RESTORE, ''))),
    ),
    withClickHouse(stack, async (clickhouse) => {
      for (const database of databases.filter(isOurs(DATABASES))) {
        await clickhouse.command(`DROP DATABASE IF EXISTS \`${database}\``);
      }
    }),
  ]);
}

async function find(stack: StackAddresses): Promise<Traces> {
  const [kafka, named, databases] = await Promise.all([
    withAdmin(settingsOf(stack), async (admin) => ({
      topics: await admin.listTopics(),
      groups: (await admin.listGroups()).groups.map(({ groupId }) => groupId),
    })),
    askRegistry(stack, 'GET', '/subjects') as Promise<string[]>,
    withClickHouse(stack, (clickhouse) =>
      clickhouse.query<{ name: string }>('SELECT name FROM system.databases'),
    ),
  ]);
  return { ...kafka, subjects: named, databases: databases.map(({ name }) => name) };
}

async function removeTopics(stack: StackAddresses, topics: readonly string[]): Promise<void> {
  if (topics.length === 0) return;
  await withAdmin(settingsOf(stack), async (admin) => {
    await admin.deleteTopics({ topics: [...topics] });
    // It is answered before every broker has heard of it.
    await waitFor('the topics are gone', async () => {
      const left = new Set(await admin.listTopics());
      return !topics.some((topic) => left.has(topic));
    });
  });
}

/** A member that was killed is in its group until its session ends. */
async function removeGroups(stack: StackAddresses, groups: readonly string[]): Promise<void> {
  if (groups.length === 0) return;
  await withAdmin(settingsOf(stack), (admin) =>
    waitFor('the groups are gone', async () => {
      const { groups: left } = await admin.listGroups();
      const still = left.map(({ groupId }) => groupId).filter((group) => groups.includes(group));
      if (still.length === 0) return true;
      await admin.deleteGroups(still);
      return false;
    }),
  );
}

async function removeSubjects(stack: StackAddresses, names: readonly string[]): Promise<void> {
  await Promise.all(
    names.map(async (name) => {
      const path = `/subjects/${encodeURIComponent(name)}`;
      // The first only hides it.
      await askRegistry(stack, 'DELETE', path);
      await askRegistry(stack, 'DELETE', `${path}?permanent=true`);
    }),
  );
}

/** 404 is an answer too: what is to be removed is gone already. */
async function askRegistry({ registry }: StackAddresses, method: string, path: string): Promise<unknown> {
  const { url, username, password = '' } = registry;
  const credentials = Buffer.from(`${username}:${password}`).toString('base64');
  const response = await fetch(url.replace(/\/$/, '') + path, {
    method,
    headers: username ? { authorization: `Basic ${credentials}` } : {},
  });
  if (!response.ok && response.status !== 404) {
    throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
  }
  return response.json();
}

async function withClickHouse<T>(
  { clickhouse }: StackAddresses,
  work: (clickhouse: ClickHouse) => Promise<T>,
): Promise<T> {
  const { url, username = 'default', password } = clickhouse;
  const secret = password ? { password: new Secret(password) } : {};
  const connection = connect({ url, username, database: 'default', ...secret });
  try {
    return await work(connection);
  } finally {
    await connection.close();
  }
}

const settingsOf = ({ kafka }: StackAddresses): KafkaSettings => reader.parse({ kafka }).kafka;
