import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { readRunningStack } from '../data-dir.ts';
import { clickhouseAnswers, kafkaAnswers, registryAnswers } from '../probes.ts';
import type { ProviderName } from '../select.ts';
import type { Component, ComponentExit, Stack, StackProvider } from '../stack.ts';

export interface ProviderUnderTest {
  readonly name: ProviderName;
  readonly provider: StackProvider;
  /** Folder of the broker's log below the data directory. */
  readonly kafkaLog: string;
  /** kill -9 from outside, not by the stack. */
  killFromOutside(stack: Stack, component: Component): Promise<void>;
  /** Whether anything of the component is still there. */
  lives(component: { readonly pid: number | undefined }): boolean;
  /** How much is there of stacks on this data directory: processes, or containers and networks. */
  left(dataDir: string): Promise<number>;
}

export function freshDataDir(): string {
  const dataDir = mkdtempSync(join(tmpdir(), 'stack-provider-test-'));
  onTestFinished(() => rmSync(dataDir, { recursive: true, force: true }));
  return dataDir;
}

export async function answers(stack: Pick<Stack, 'kafka' | 'registry' | 'clickhouse'>): Promise<boolean[]> {
  const [host = '', port] = (stack.kafka.brokers[0] ?? '').split(':');
  return Promise.all([
    kafkaAnswers(host, Number(port)),
    registryAnswers(stack.registry),
    clickhouseAnswers(stack.clickhouse),
  ]);
}

export async function query(stack: Stack, sql: string): Promise<string> {
  const response = await fetch(stack.clickhouse.url, { method: 'POST', body: sql });
  const text = (await response.text()).trim();
  if (!response.ok) throw new Error(text);
  return text;
}

export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 60_000; !(await condition()); await delay(20))
    if (Date.now() > deadline) throw new Error('the condition never held');
}

/** The promises of every provider whose components can be controlled. */
export function describeProvider(of: ProviderUnderTest): void {
  const identity = (dataDir: string) => join(dataDir, of.kafkaLog, 'meta.properties');
  const start = (dataDir: string) => of.provider.start({ dataDir });

  describe(`the provider ${of.name}`, () => {
    // To start a stack is most of the work, so the tests share one. Each leaves it running and whole, or stopped.
    let dataDir: string;
    let shared: Stack | undefined;
    const running = async () => {
      shared ??= await start(dataDir);
      return shared;
    };
    const stop = async () => {
      const stack = shared;
      shared = undefined;
      await stack?.stop();
    };
    beforeAll(() => {
      dataDir = mkdtempSync(join(tmpdir(), 'stack-provider-shared-'));
    });
    afterAll(async () => {
      await stop();
      rmSync(dataDir, { recursive: true, force: true });
    });

    test('a start that is called off leaves nothing running', async () => {
      await stop();
      const abort = new AbortController();
      const starting = of.provider.start({
        dataDir,
        signal: abort.signal,
        onProgress: ({ component, state }) => {
          if (component === 'clickhouse' && state === 'done') abort.abort();
        },
      });
      await expect(starting).rejects.toMatchObject({ code: 'STACK_ABORTED' });
      expect(await of.left(dataDir)).toBe(0);
      expect(await answers(await running())).toEqual([true, true, true]);
    });

    test('a configured port that is taken is refused before anything starts', async () => {
      const port = Number(new URL((await running()).clickhouse.url).port);
      const other = freshDataDir();
      const second = of.provider.start({ dataDir: other, ports: { clickhouse: port } });
      await expect(second).rejects.toMatchObject({ code: 'STACK_PORT_TAKEN' });
      // The refused start has given the directory back.
      expect(readRunningStack(other)).toBeNull();
    });

    test('kills, freezes and restarts single components', async () => {
      const stack = await running();
      const kafka = stack.component('kafka');
      const exits: ComponentExit[] = [];
      onTestFinished(kafka.onExit((exit) => exits.push(exit)));

      await kafka.kill();
      expect(await answers(stack)).toEqual([false, true, true]);
      expect(exits).toEqual([]);
      await kafka.start();
      expect(await answers(stack)).toEqual([true, true, true]);
      await expect(kafka.start()).rejects.toMatchObject({ code: 'STACK_COMPONENT_STATE' });

      await of.killFromOutside(stack, kafka);
      await until(() => exits.length > 0);
      expect(exits).toEqual([{ code: null, signal: 'SIGKILL' }]);
      await kafka.start();

      const clickhouse = stack.component('clickhouse');
      await query(stack, 'CREATE DATABASE survives');
      await query(stack, 'CREATE TABLE survives.t (n UInt32) ENGINE = MergeTree ORDER BY n');
      await query(stack, 'INSERT INTO survives.t VALUES (1)');
      await clickhouse.pause();
      expect(clickhouse.state).toBe('paused');
      expect(await clickhouseAnswers(stack.clickhouse)).toBe(false);
      await clickhouse.resume();
      await until(() => clickhouseAnswers(stack.clickhouse));
      await clickhouse.kill();
      await clickhouse.start();
      expect(await query(stack, 'SELECT count() FROM survives.t')).toBe('1');

      await stack.component('registry').restart();
      expect(await answers(stack)).toEqual([true, true, true]);
    });

    test('keeps ports and data over stop and start', async () => {
      const first = await running();
      expect(await answers(first)).toEqual([true, true, true]);
      expect(readRunningStack(dataDir)).toMatchObject({ pid: process.pid, clickhouse: first.clickhouse });
      const schema = JSON.stringify({ schema: '"string"' });
      const registered = await fetch(`${first.registry.url}/subjects/kept-value/versions`, {
        method: 'POST',
        body: schema,
        headers: { 'content-type': 'application/json' },
      });
      expect(registered.status).toBe(200);
      await query(first, 'CREATE DATABASE kept');
      await query(first, 'CREATE TABLE kept.numbers (n UInt32) ENGINE = MergeTree ORDER BY n');
      await query(first, 'INSERT INTO kept.numbers SELECT number FROM numbers(1000)');
      const before = readFileSync(identity(dataDir), 'utf8');
      await expect(start(dataDir)).rejects.toMatchObject({ code: 'STACK_IN_USE' });
      const were = first.components.map(({ pid }) => ({ pid }));
      await stop();
      expect(were.filter(of.lives)).toEqual([]);
      expect(readRunningStack(dataDir)).toBeNull();

      const second = await running();
      expect(second.kafka).toEqual(first.kafka);
      expect(await (await fetch(`${second.registry.url}/subjects`)).json()).toEqual(['kept-value']);
      expect(await query(second, 'SELECT sum(n) FROM kept.numbers')).toBe('499500');
      expect(readFileSync(identity(dataDir), 'utf8')).toBe(before);
    });

    test('one that is frozen when the stack stops is woken to hear of it', async () => {
      const stack = await running();
      const were = stack.components.map(({ pid }) => ({ pid }));
      await stack.component('registry').pause();
      await stop();
      expect(were.filter(of.lives)).toEqual([]);
    });

    test('a component that ends while starting is reported with its log', async () => {
      await running();
      await stop();
      const file = identity(dataDir);
      const before = readFileSync(file, 'utf8');
      writeFileSync(file, before.replace(/^node\.id=.*$/m, 'node.id=2'));
      onTestFinished(() => writeFileSync(file, before));
      await expect(start(dataDir)).rejects.toMatchObject({
        code: 'STACK_COMPONENT_DIED',
        message: expect.stringContaining('node'),
      });
      expect(await of.left(dataDir)).toBe(0);
    });

    test('nothing outlives a parent that is killed', async () => {
      await stop();
      const script = fileURLToPath(new URL('../run.ts', import.meta.url));
      const parent = spawn(process.execPath, [script, dataDir], {
        stdio: ['ignore', 'pipe', 'ignore'],
        env: { ...process.env, STACK: of.name },
      });
      await once(parent.stdout, 'data');
      const found = readRunningStack(dataDir);
      expect(found?.pid).toBe(parent.pid);
      expect(found && (await clickhouseAnswers(found.clickhouse))).toBe(true);
      expect(await of.left(dataDir)).toBeGreaterThanOrEqual(3);
      parent.kill('SIGKILL');
      const port = Number(found?.kafka.brokers[0]?.split(':')[1]);
      await until(async () => !(await kafkaAnswers('127.0.0.1', port)));
      await until(async () => !(await registryAnswers(found?.registry ?? { url: '' })));
      await until(async () => !(await clickhouseAnswers(found?.clickhouse ?? { url: '' })));
      await until(async () => (await of.left(dataDir)) === 0);
      expect(readRunningStack(dataDir)).toBeNull();
      // The ports are free and the data is whole: it can start again at once.
      expect((await running()).kafka).toEqual(found?.kafka);
    });
  });
}
