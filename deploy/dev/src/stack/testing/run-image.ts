import { chmod, chown, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import type { Engine } from '../containers/engine.ts';
import { unlessGone } from '../containers/engine.ts';

const WAIT_MS = 90_000;

export interface ImageRun {
  readonly image: string;
  readonly env?: Readonly<Record<string, string>>;
  /** `uid:gid`; the image's own without it. */
  readonly user?: string;
  readonly command?: readonly string[];
  /** Paths here, and where they are in the container. */
  readonly mounts?: Readonly<Record<string, string>>;
  /** Ports of the container, and those of this machine that stand for them; any free one for 0. */
  readonly ports?: Readonly<Record<number, number>>;
}

export interface RunningImage {
  /** Where a port of the container is reached. */
  port(containerPort: number): Promise<number>;
  /** Runs a command in the container and returns its output. Throws if it fails. */
  exec(...command: string[]): Promise<string>;
  /** Waits until the condition holds; fails with the container's log if it ends or the time does. */
  until(condition: () => Promise<boolean>): Promise<void>;
  log(): Promise<string>;
  /** SIGTERM, and after that time SIGKILL. Resolves to the exit code. */
  stop(seconds: number): Promise<number>;
  /** Resolves to the exit code once it has ended by itself. */
  ended(): Promise<number>;
  remove(): Promise<void>;
}

/** Runs an image for the time of a test. */
export async function runImage({ docker }: Engine, run: ImageRun): Promise<RunningImage> {
  const ports = Object.entries(run.ports ?? {});
  const bindings = ports.map(([inside, outside]) => [
    `${inside}/tcp`,
    [{ HostIp: '127.0.0.1', HostPort: outside === 0 ? '' : String(outside) }],
  ]);
  const container = await docker.createContainer({
    Image: run.image,
    Env: Object.entries(run.env ?? {}).map(([name, value]) => `${name}=${value}`),
    ...(run.user && { User: run.user }),
    ...(run.command && { Cmd: [...run.command] }),
    ExposedPorts: Object.fromEntries(ports.map(([inside]) => [`${inside}/tcp`, {}])),
    HostConfig: {
      PortBindings: Object.fromEntries(bindings),
      Binds: Object.entries(run.mounts ?? {}).map(([source, target]) => `${source}:${target}`),
    },
  });
  const remove = async () => {
    await unlessGone(container.remove({ force: true, v: true }));
  };
  onTestFinished(remove);
  await container.start();
  const log = async () => text(await container.logs({ stdout: true, stderr: true }));
  return {
    log,
    remove,
    async port(containerPort) {
      const { NetworkSettings } = await container.inspect();
      return Number(NetworkSettings.Ports[`${containerPort}/tcp`]?.[0]?.HostPort);
    },
    async exec(...command) {
      const exec = await container.exec({ Cmd: command, AttachStdout: true, AttachStderr: true });
      const stream = await exec.start({ hijack: true });
      const chunks: Buffer[] = [];
      for await (const chunk of stream) chunks.push(chunk as Buffer);
      const output = text(Buffer.concat(chunks));
      const { ExitCode } = await exec.inspect();
      if (ExitCode !== 0) throw new Error(`${command.join(' ')} ended with ${ExitCode}: ${output}`);
      return output;
    },
    async until(condition) {
      const deadline = performance.now() + WAIT_MS;
      while (!(await condition())) {
        const { State } = await container.inspect();
        if (!State.Running) throw new Error(`it ended with ${State.ExitCode}:\n${await log()}`);
        if (performance.now() > deadline) throw new Error(`it does not answer:\n${await log()}`);
        await delay(50);
      }
    },
    async stop(seconds) {
      await container.stop({ t: seconds });
      return (await container.inspect()).State.ExitCode;
    },
    async ended() {
      return (await container.wait()).StatusCode;
    },
  };
}

/** A folder for the time of a test that belongs to a user whom no image knows, and that user with group 0. */
export async function foreignFolder(): Promise<{ folder: string; user: string }> {
  const folder = await anyFolder();
  const own = process.getuid?.() ?? 0;
  const uid = own === 0 ? 1234 : own;
  await chmod(folder, 0o700);
  if (own === 0) await chown(folder, uid, 0);
  return { folder, user: `${uid}:0` };
}

/** A folder for the time of a test that every user may write. */
export async function anyFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'image-test-'));
  await chmod(folder, 0o777);
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Without the headers that the engine puts before each piece of the two streams. */
function text(multiplexed: Buffer): string {
  const parts: Buffer[] = [];
  for (let at = 0; at + 8 <= multiplexed.length; ) {
    const end = at + 8 + multiplexed.readUInt32BE(at + 4);
    parts.push(multiplexed.subarray(at + 8, end));
    at = end;
  }
  return Buffer.concat(parts).toString();
}
