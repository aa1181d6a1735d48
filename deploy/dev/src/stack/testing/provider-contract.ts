import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
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

  async function start(dataDir: string): Promise<Stack> {
    const stack = await of.provider.start({ dataDir });
    onTestFinished(() => stack.stop());
    return stack;
  }

  test('keeps ports and data over stop and start', async () => {
    const dataDir = freshDataDir();
    const first = await start(dataDir);
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
    await expect(of.provider.start({ dataDir })).rejects.toMatchObject({ code: 'STACK_IN_USE' });
    const were = first.components.map(({ pid }) => ({ pid }));
    await first.stop();
    expect(were.filter(of.lives)).toEqual([]);
    expect(readRunningStack(dataDir)).toBeNull();

    const second = await start(dataDir);
    expect(second.kafka).toEqual(first.kafka);
    expect(await (await fetch(`${second.registry.url}/subjects`)).json()).toEqual(['kept-value']);
    expect(await query(second, 'SELECT sum(n) FROM kept.numbers')).toBe('499500');
    expect(readFileSync(identity(dataDir), 'utf8')).toBe(before);
  });

  test('kills, freezes and restarts single components', async () => {
    const stack = await start(freshDataDir());
    const kafka = stack.component('kafka');
    const exits: ComponentExit[] = [];
    kafka.onExit((exit) => exits.push(exit));

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
    // Frozen when the stack stops: it must be woken to hear of it.
    await stack.component('registry').pause();
  });

  test('a configured port that is taken is refused before anything starts', async () => {
    const stack = await start(freshDataDir());
    const port = Number(new URL(stack.clickhouse.url).port);
    const dataDir = freshDataDir();
    const second = of.provider.start({ dataDir, ports: { clickhouse: port } });
    await expect(second).rejects.toMatchObject({ code: 'STACK_PORT_TAKEN' });
    // The refused start has given the directory back.
    expect(readRunningStack(dataDir)).toBeNull();
  });

  test('a start that is called off leaves nothing running', async () => {
    const dataDir = freshDataDir();
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
    const again = await start(dataDir);
    expect(await answers(again)).toEqual([true, true, true]);
  });

  test('a component that ends while starting is reported with its log', async () => {
    const dataDir = freshDataDir();
    const stack = await start(dataDir);
    await stack.stop();
    const file = identity(dataDir);
    writeFileSync(file, readFileSync(file, 'utf8').replace(/^node\.id=.*$/m, 'node.id=2'));
    await expect(of.provider.start({ dataDir })).rejects.toMatchObject({
      code: 'STACK_COMPONENT_DIED',
      message: expect.stringContaining('node'),
    });
    expect(await of.left(dataDir)).toBe(0);
  });

  test('nothing outlives a parent that is killed', async () => {
    const dataDir = freshDataDir();
    const script = fileURLToPath(new URL('../run.ts', import.meta.url));
    const parent = spawn(process.execPath, [script, dataDir], {
      stdio: ['ignore', 'pipe', 'ignore'],
      env: { ...process.env, STACK: of.name },
    });
    await once(parent.stdout, 'data');
    const running = readRunningStack(dataDir);
    expect(running?.pid).toBe(parent.pid);
    expect(running && (await clickhouseAnswers(running.clickhouse))).toBe(true);
    expect(await of.left(dataDir)).toBeGreaterThanOrEqual(3);
    parent.kill('SIGKILL');
    const port = Number(running?.kafka.brokers[0]?.split(':')[1]);
    await until(async () => !(await kafkaAnswers('127.0.0.1', port)));
    await until(async () => !(await registryAnswers(running?.registry ?? { url: '' })));
    await until(async () => !(await clickhouseAnswers(running?.clickhouse ?? { url: '' })));
    await until(async () => (await of.left(dataDir)) === 0);
    expect(readRunningStack(dataDir)).toBeNull();
    // The ports are free and the data is whole: it can start again at once.
    const again = await start(dataDir);
    expect(again.kafka).toEqual(running?.kafka);
  });
}
