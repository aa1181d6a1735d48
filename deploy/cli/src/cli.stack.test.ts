import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createKafka, silentLog, withAdmin } from '@email-events/core';
import { avroType, Codec, type EmailBounced, topics } from '@email-events/schemas';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fileScope, type SharedStack, vacantStack, waitFor } from '../../../test/harness/stack.ts';
import { type PipelineConfig, pipelineConfig } from './services.ts';
import { runBin, startBin } from './testing.ts';

const folder = mkdtempSync(join(tmpdir(), 'cli-'));
const shared = fileScope();
let stack: SharedStack;
let database: string;
let config: PipelineConfig;

/** Writes a configuration for the stack and returns its file. */
function configure(name: string, more: object = {}): string {
  const file = join(folder, `${name}.yaml`);
  const { kafka, registry } = stack;
  const clickhouse = { ...stack.clickhouse, database };
  writeFileSync(file, JSON.stringify({ kafka, registry, sinks: { clickhouse }, ...more }));
  return file;
}

const TOPIC = 2;

/** As an operator with another tool: settings that the catalogue does not mention. */
function setByHand(topic: string, name: string, value: string): Promise<void> {
  const resources = [{ type: TOPIC, name: topic, configEntries: [{ name, value }] }];
  return withAdmin(config.kafka, (admin) => admin.alterConfigs({ validateOnly: false, resources }));
}

function setting(topic: string, wanted: string): Promise<string | undefined> {
  return withAdmin(config.kafka, async (admin) => {
    const resources = [{ type: TOPIC, name: topic, configNames: [wanted] }];
    const described = await admin.describeConfigs({ includeSynonyms: false, resources });
    return described.resources[0]?.configEntries.find(({ configName }) => configName === wanted)?.configValue;
  });
}

const run = (...args: string[]) => runBin(args, { env: { EMAIL_EVENTS_HOME: folder } });

beforeAll(async () => {
  stack = await vacantStack(shared.scope);
  database = stack.uniqueDatabase('cli');
  const { kafka, registry } = stack;
  config = pipelineConfig.parse({ kafka, registry, topics: { partitions: 3, rawPartitions: 2 } });
});
afterAll(async () => {
  await shared.end();
  rmSync(folder, { recursive: true, force: true });
});

describe('topics', () => {
  const base = { partitions: 3, rawPartitions: 2 };

  test('plan changes nothing; apply creates; the second apply has nothing to do', async () => {
    const file = configure('base', { topics: base });
    const before = JSON.parse((await run('topics', 'plan', '--config', file, '--json')).out);
    expect(before.actions.every(({ kind }: { kind: string }) => kind === 'create')).toBe(true);
    const again = JSON.parse((await run('topics', 'plan', '--config', file, '--json')).out);
    expect(again).toEqual(before);

    const applied = await run('topics', 'apply', '--config', file, '--json');
    expect([applied.code, JSON.parse(applied.out).applied]).toEqual([0, true]);
    const second = JSON.parse((await run('topics', 'apply', '--config', file, '--json')).out);
    expect([second.changes, second.problems]).toEqual([0, 0]);
    const human = await run('topics', 'plan', '--config', file);
    expect(human.out).toContain('the cluster is as configured');
  });

  test('apply changes settings and adds partitions to email.raw, and keeps what else was set', async () => {
    await setByHand(topics.raw, 'segment.ms', '86400000');
    const file = configure('changed', {
      topics: { ...base, rawPartitions: 4, retention: { rawDays: 3, eventsDays: 2 } },
    });
    const { code, out } = await run('topics', 'apply', '--config', file);
    expect(code).toBe(0);
    expect(out).toMatch(/email\.raw\s+add partitions\s+2 → 4/);
    expect(out).toMatch(/email\.raw\s+change\s+.*retention\.ms \d+ → 259200000/);
    const after = JSON.parse((await run('topics', 'plan', '--config', file, '--json')).out);
    expect([after.changes, after.problems]).toEqual([0, 0]);
    expect(await setting(topics.raw, 'segment.ms')).toBe('86400000');
  });

  test('a problem: exit code 1, and nothing at all is changed', async () => {
    const file = configure('problem', { topics: { ...base, partitions: 5, retention: { rawDays: 9 } } });
    const { code, out } = await run('topics', 'apply', '--config', file, '--json');
    const { applied, problems, actions } = JSON.parse(out);
    expect([code, applied, problems > 0]).toEqual([1, false, true]);
    const raw = actions.filter(({ topic }: { topic: string }) => topic === topics.raw);
    const again = JSON.parse((await run('topics', 'plan', '--config', file, '--json')).out);
    expect(again.actions.filter(({ topic }: { topic: string }) => topic === topics.raw)).toEqual(raw);
  });
});

describe('schemas and clickhouse', () => {
  test('register, then check finds nothing to do', async () => {
    const file = configure('plain');
    expect((await run('schemas', 'register', '--config', file)).code).toBe(0);
    const { code, out } = await run('schemas', 'check', '--config', file, '--json');
    const { subjects, problems } = JSON.parse(out);
    expect([code, problems]).toEqual([0, []]);
    expect(new Set(subjects.map(({ action }: { action: string }) => action))).toEqual(new Set(['unchanged']));
  });

  test('migrate: a dry run does nothing, then all, then nothing', async () => {
    const file = configure('plain');
    const pending = async (...more: string[]) => {
      const { out } = await run('clickhouse', 'migrate', '--config', file, '--json', ...more);
      return JSON.parse(out).pending.length;
    };
    const all = await pending('--dry-run');
    expect(all).toBeGreaterThan(0);
    expect(await pending()).toBe(all);
    expect(await pending('--dry-run')).toBe(0);
  });
});

describe('tail', () => {
  async function write(recipients: readonly string[]): Promise<void> {
    const codec = new Codec(stack.registry);
    const topic = topics.events('bounced');
    const encoder = await codec.encoder<EmailBounced>(topic, 'bounced');
    const producer = createKafka(config.kafka, 'test', silentLog).producer();
    await producer.connect();
    const event = avroType('bounced').random() as unknown as EmailBounced;
    await producer.send({
      topic,
      messages: recipients.map((recipient) => ({
        key: recipient,
        value: encoder.encode({ ...event, recipient, esp: 'ses', occurred_at: 1_767_323_045_006 }),
      })),
    });
    await producer.disconnect();
  }

  test('shows decoded events live and ends by itself or by Ctrl-C', async () => {
    const file = configure('plain');
    const tail = startBin(['tail', 'email.events.*', '--config', file]);
    await waitFor('tail reads', () => tail.output().err.includes('Ctrl-C'));
    await write(['live@x.example']);
    await waitFor('the event is shown', () => tail.output().out.includes('live@x.example'));
    expect(tail.output().out).toContain('email.events.bounced');
    tail.interrupt();
    expect((await tail.finished).code).toBe(0);

    await write(['one@x.example', 'two@x.example', 'three@x.example']);
    const { code, out } = await run(
      ...['tail', 'email.events.bounced', '--from-beginning', '--config', file, '--json'],
      ...['--filter', 'recipient=two@x.example', '--max', '1'],
    );
    expect(code).toBe(0);
    const records = out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(records).toHaveLength(1);
    expect(records[0]).toMatchObject({
      topic: 'email.events.bounced',
      key: 'two@x.example',
      value: { recipient: 'two@x.example', occurred_at: '2026-01-02T03:04:05.006Z' },
    });
  });

  test('what a payload says to a terminal is shown, not obeyed', async () => {
    const recipient = 'evil\u001b[2J\u202e@x.example';
    await write([recipient]);
    const tail = ['tail', 'email.events.bounced', '--from-beginning', '--filter', `recipient=${recipient}`];
    const args = [...tail, '--max', '1', '--config', configure('plain')];
    const { code, out } = await run(...args);
    expect([code, out]).toEqual([0, expect.stringContaining('evil\\x1b[2J\\u202e@x.example')]);
    expect(out.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\u202e]/u);
    const json = await run(...args, '--json');
    expect(json.out.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\u202e]/u);
    expect(JSON.parse(json.out).value.recipient).toBe(recipient);
  });

  test('an unknown topic is a usage error that lists the topics', async () => {
    const { code, err } = await run('tail', 'email.events.bonced', '--config', configure('plain'));
    expect(code).toBe(2);
    expect(err).toContain('email.events.bounced');
  });
});

test('a cluster that does not answer: a code, a hint and no stack', async () => {
  const file = join(folder, 'nowhere.yaml');
  writeFileSync(file, JSON.stringify({ kafka: { connectionTimeoutMs: 200 } }));
  // Wherever the stack is: the environment, which may say so, has the last word.
  const env = { EMAIL_EVENTS_HOME: folder, EMAIL_EVENTS_KAFKA_BROKERS: '127.0.0.1:1' };
  const { code, err } = await runBin(['topics', 'plan', '--config', file], { env });
  expect(code).toBe(1);
  expect(err).toContain('KAFKA_UNREACHABLE');
  expect(err).not.toMatch(/\n\s+at /);
});
