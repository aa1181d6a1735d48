import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type DaemonSpec, filesOf, launchDaemon, runningDaemon, stopDaemon } from './daemon.ts';
import { engineAt } from './facts.ts';
import type { EngineProgram } from './processes.ts';
import { identify, isAlive, type ProcessIdentity } from './processes.ts';

/** The behaviour of Docker's daemon that counts here: it answers, keeps a containerd, ends on SIGTERM. */
const DAEMON = `
  import { createServer } from 'node:http';
  import { spawn } from 'node:child_process';
  import { writeFileSync } from 'node:fs';
  const [socket, dockerdPid, containerdPid, mood] = process.argv.slice(1);
  console.error('time="12:00" a line of its log');
  if (mood === 'dies') { console.error('failed to start daemon: no bridge\\n (exit status 4)'); process.exit(1); }
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore', detached: true });
  writeFileSync(dockerdPid, String(process.pid));
  writeFileSync(containerdPid, String(child.pid));
  process.on('SIGTERM', () => { if (mood !== 'leaves-containerd') child.kill('SIGKILL'); process.exit(0); });
  if (mood === 'mute') setInterval(() => {}, 1000);
  else createServer((_request, response) => response.end('OK')).listen(socket);
`;

function prepare(mood: 'well' | 'dies' | 'mute' | 'leaves-containerd' = 'well') {
  const folder = mkdtempSync(join(tmpdir(), 'daemon-test-'));
  const socket = join(folder, 'd.sock');
  const pidFile = (program: EngineProgram) => join(folder, `${program}.pid`);
  const pidOf = (program: EngineProgram) =>
    existsSync(pidFile(program)) ? Number(readFileSync(pidFile(program), 'utf8')) : undefined;
  const spec: DaemonSpec = {
    file: process.execPath,
    args: ['--input-type=module', '-e', DAEMON, socket, pidFile('dockerd'), pidFile('containerd'), mood],
    env: process.env,
    answers: async () => (await engineAt(socket)) === 'answers',
    pidOf,
    startDeadlineMs: 15_000,
  };
  onTestFinished(async () => {
    await stopDaemon(folder);
    rmSync(folder, { recursive: true });
  });
  const containerd = () => identify(pidOf('containerd') ?? -1);
  return { folder, spec, containerd, ...filesOf(folder) };
}

/** A process that has nothing to do with what is started and stopped. */
async function startStranger(): Promise<ProcessIdentity> {
  const stranger = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
  onTestFinished(() => void stranger.kill('SIGKILL'));
  await once(stranger, 'spawn');
  return identify(stranger.pid!)!;
}

test('it runs in a session of its own until it is stopped', async () => {
  const { folder, spec, containerd, log, record } = prepare();
  const started = await launchDaemon(folder, spec);
  expect(runningDaemon(folder)).toEqual(started);
  expect(started.containerd).toEqual(containerd());
  const stat = readFileSync(`/proc/${started.dockerd.pid}/stat`, 'utf8');
  // After the name: state, parent, group, session.
  expect(Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[3])).toBe(started.dockerd.pid);
  expect(readFileSync(log, 'utf8')).toBe('time="12:00" a line of its log\n');

  expect(await stopDaemon(folder)).toBe('stopped');
  expect(isAlive(started.dockerd)).toBe(false);
  expect(containerd()).toBeNull();
  expect(existsSync(record)).toBe(false);
  expect(await stopDaemon(folder)).toBe('none');
});

test('when it dies, the first line says why, and the log follows', async () => {
  const { folder, spec, log } = prepare('dies');
  const error = await launchDaemon(folder, spec).catch((failure: Error) => failure);
  expect(error).toMatchObject({ code: 'STACK_ENGINE_UNAVAILABLE' });
  const lines = (error as Error).message.split('\n');
  expect(lines[0]).toBe(
    'dockerd ended while it was starting (exit code 1): failed to start daemon: no bridge (exit status 4)',
  );
  expect(lines.slice(-4)).toEqual([
    `${log} ends with:`,
    'time="12:00" a line of its log',
    'failed to start daemon: no bridge',
    ' (exit status 4)',
  ]);
  expect(await stopDaemon(folder)).toBe('none');
});

test('a program that is not there is said', async () => {
  const { folder, spec } = prepare();
  await expect(launchDaemon(folder, { ...spec, file: 'no-such-dockerd' })).rejects.toMatchObject({
    code: 'STACK_ENGINE_UNAVAILABLE',
  });
});

describe('one that never answers is ended, with its containerd', () => {
  test('after the deadline', async () => {
    const { folder, spec, containerd, record } = prepare('mute');
    const answers = async () => {
      await expect.poll(containerd).not.toBeNull();
      return false;
    };
    const impatient = { ...spec, answers, startDeadlineMs: 1 };
    await expect(launchDaemon(folder, impatient)).rejects.toThrow('does not answer within 0.001 s');
    expect(containerd()).toBeNull();
    expect(existsSync(record)).toBe(false);
  });

  test('when the start is called off', async () => {
    const { folder, spec, containerd } = prepare('mute');
    const abort = new AbortController();
    let dockerd: ReturnType<typeof runningDaemon> = null;
    const waiting = launchDaemon(
      folder,
      {
        ...spec,
        answers: async () => {
          dockerd = runningDaemon(folder);
          if (containerd()) abort.abort();
          return false;
        },
      },
      abort.signal,
    );
    await expect(waiting).rejects.toMatchObject({ code: 'STACK_ABORTED' });
    expect(isAlive(dockerd!.dockerd)).toBe(false);
    expect(containerd()).toBeNull();
  });
});

test('a containerd that dockerd leaves behind is ended as well', async () => {
  const { folder, spec, containerd } = prepare('leaves-containerd');
  await launchDaemon(folder, spec);
  expect(await stopDaemon(folder)).toBe('stopped');
  expect(containerd()).toBeNull();
});

test('when dockerd was killed, what is left of it is ended', async () => {
  const { folder, spec, containerd } = prepare();
  const { dockerd } = await launchDaemon(folder, spec);
  process.kill(dockerd.pid, 'SIGKILL');
  await expect.poll(() => isAlive(dockerd)).toBe(false);
  expect(runningDaemon(folder)).toBeNull();
  expect(containerd()).not.toBeNull();
  expect(await stopDaemon(folder)).toBe('gone');
  expect(containerd()).toBeNull();
});

test('where the engine of another checkout was faster, that one keeps its containerd', async () => {
  const { folder, spec } = prepare('dies');
  const faster = { dockerd: await startStranger(), containerd: await startStranger() };
  const pidOf = (program: EngineProgram) => faster[program].pid;
  const answers = async () => true;
  await expect(launchDaemon(folder, { ...spec, pidOf, answers })).rejects.toThrow('dockerd ended');
  expect(isAlive(faster.containerd)).toBe(true);
});

test('another process that has the pid by now is left alone', async () => {
  const { folder, record } = prepare();
  const identity = await startStranger();
  writeFileSync(record, JSON.stringify({ dockerd: { ...identity, startTicks: identity.startTicks - 1 } }));
  expect(runningDaemon(folder)).toBeNull();
  expect(await stopDaemon(folder)).toBe('gone');
  expect(isAlive(identity)).toBe(true);
  expect(existsSync(record)).toBe(false);
});
