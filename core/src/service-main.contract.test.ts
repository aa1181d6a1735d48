import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, expect, test } from 'vitest';
import { VERSION } from './telemetry.ts';

const FIXTURE = new URL('service-main.fixture.ts', import.meta.url).pathname;
const dir = mkdtempSync(join(tmpdir(), 'service-main-'));
afterAll(() => rmSync(dir, { recursive: true }));

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

interface Line {
  readonly level: string;
  readonly code?: string;
  readonly msg: string;
  readonly problems?: readonly { path: string; message: string }[];
  readonly config?: unknown;
}

function run(args: string[], env: { [name: string]: string } = {}) {
  const child = fork(FIXTURE, args, { silent: true, env: { PATH: process.env.PATH, ...env } });
  children.push(child);
  let output = '';
  let said = '';
  const waiting: { text: string; found: () => void }[] = [];
  const gather = (chunk: Buffer) => {
    output += chunk;
    for (const { text, found } of waiting) if (output.includes(text)) found();
  };
  const outputs = [child.stdout, child.stderr].filter((stream) => stream !== null);
  for (const stream of outputs) stream.on('data', gather);
  // By itself: what node says on the other stream may come in the middle of a line.
  child.stdout?.on('data', (chunk: Buffer) => {
    said += chunk;
  });
  return {
    child,
    ready: once(child, 'message').then(([message]) => message as unknown),
    saying: (text: string) => new Promise<void>((found) => waiting.push({ text, found })),
    // Not `close`: a channel that the parent closed itself keeps it from coming.
    ended: Promise.all([once(child, 'exit'), ...outputs.map((stream) => once(stream, 'end'))]).then(
      ([[code]]) => ({
        code: code as number | null,
        output,
        lines: said
          .split('\n')
          .filter((line) => line.startsWith('{'))
          .map((line) => JSON.parse(line) as Line),
      }),
    ),
  };
}

const clientId = (id: string) => ({ EMAIL_EVENTS_KAFKA_CLIENT_ID: id });

test('--check-config exits 0 and starts nothing if the configuration can be used', async () => {
  const file = join(dir, 'good.yaml');
  writeFileSync(file, 'kafka: {clientId: good}\n');
  expect(await run(['--check-config', '--config', file]).ended).toMatchObject({ code: 0, output: '' });
});

test('--check-config exits 1 and lists the problems if not', async () => {
  const file = join(dir, 'bad.yaml');
  writeFileSync(file, 'kafka: {clientID: x}\nregistry: {password: env:ABSENT}\n');
  const { code, lines } = await run(['--check-config', '--config', file]).ended;
  expect(code).toBe(1);
  expect(lines).toMatchObject([{ level: 'fatal', code: 'CONFIG_INVALID' }]);
  expect(lines[0]?.problems?.map(({ path }) => path)).toEqual(['kafka.clientID', 'registry.password']);
});

test('the service itself has a say', async () => {
  const { code, lines } = await run(['--check-config'], clientId('refused')).ended;
  expect(code).toBe(1);
  const variable = 'EMAIL_EVENTS_KAFKA_CLIENT_ID';
  expect(lines[0]?.problems).toEqual([{ path: 'kafka.clientId', message: 'refused', variable }]);
});

test.each([
  [['--config', '/nowhere/at/all.yaml'], {}, 'CONFIG_UNREADABLE'],
  [[], { EMAIL_EVENTS_CONFIG: '/nowhere/at/all.yaml' }, 'CONFIG_UNREADABLE'],
  [['--chek-config'], {}, 'ERR_PARSE_ARGS_UNKNOWN_OPTION'],
])('%j with %j cannot be used', async (args, env, expected) => {
  const { code, lines } = await run(args, env as { [name: string]: string }).ended;
  expect(code).toBe(1);
  expect(lines).toMatchObject([{ level: 'fatal', code: expected }]);
});

test.each(['SIGTERM', 'SIGINT'] as const)(
  '%s, even twice, stops it once, with exit code 0',
  async (signal) => {
    const { child, ready, saying, ended } = run([]);
    expect(await ready).toEqual({ ready: true, ports: { admin: 4711 } });
    const stopping = saying('stopping');
    child.kill(signal);
    await stopping;
    child.kill(signal);
    const { code, lines } = await ended;
    expect(code).toBe(0);
    // Each once; pino writes in the background, and what the end flushes may overtake a line that is on its way.
    expect(lines.map(({ msg }) => msg).sort()).toEqual(['started', 'starting', 'stopping']);
  },
);

test('work that a stop leaves behind at its deadline does not keep the process', async () => {
  const { child, ready, ended } = run([], clientId('leaves-work-behind'));
  await ready;
  child.kill('SIGTERM');
  expect((await ended).code).toBe(0);
});

test('a parent that goes away stops it', async () => {
  const { child, ready, ended } = run([]);
  await ready;
  child.disconnect();
  expect((await ended).code).toBe(0);
});

test.each(['SIGTERM', 'disconnect'])('%s while it starts ends it', async (how) => {
  const { child, saying, ended } = run([], clientId('never-starts'));
  await saying('starting');
  if (how === 'disconnect') child.disconnect();
  else child.kill('SIGTERM');
  expect((await ended).code).toBe(0);
});

/** Not the last line: pino writes in the background, and a fatal line, which it flushes, overtakes one that is on its way. */
const fatalOf = (lines: readonly Line[]) => lines.find(({ level }) => level === 'fatal');

test('a service that cannot start, or ends by itself, exits 1 and says why', async () => {
  const failed = await run([], clientId('fails-to-start')).ended;
  expect(failed.code).toBe(1);
  expect(fatalOf(failed.lines), failed.output).toMatchObject({ level: 'fatal', code: 'TypeError' });
  const ended = await run([], clientId('ends-by-itself')).ended;
  expect(ended.code).toBe(1);
  expect(fatalOf(ended.lines), ended.output).toMatchObject({ level: 'fatal', code: 'RangeError' });
});

test('one line says what has started: release, digest of the configuration, ports', async () => {
  const digestWith = async (env: { [name: string]: string }) => {
    const { child, ready, ended } = run([], env);
    await ready;
    child.kill('SIGTERM');
    const { lines } = await ended;
    const started = lines.filter(({ msg }) => msg === 'started');
    expect(started).toMatchObject([
      { level: 'info', version: VERSION, node: process.versions.node, ports: { admin: 4711 } },
    ]);
    return started[0]?.config;
  };
  const digest = await digestWith({});
  expect(digest).toMatch(/^[0-9a-f]{12}$/);
  expect(await digestWith({})).toBe(digest);
  expect(await digestWith(clientId('another'))).not.toBe(digest);
});

test('the effective configuration is logged without its secrets', async () => {
  const env = { EMAIL_EVENTS_LOG_LEVEL: 'debug', EMAIL_EVENTS_REGISTRY_PASSWORD: 'hunter2' };
  const { child, ready, ended } = run([], env);
  await ready;
  child.kill('SIGTERM');
  const { output, lines } = await ended;
  expect(lines[0]).toMatchObject({ level: 'debug', config: { registry: { password: '***' } } });
  expect(output).not.toContain('hunter2');
});
