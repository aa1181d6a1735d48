import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { beforeAll, describe, expect, test } from 'vitest';
import { waitFor } from '../../../../../../test/harness/wait.ts';
import { connectEngine, type Engine } from '../engine.ts';
import type { ServicesTarget } from './services.ts';
import { provideServicesImages } from './services.ts';

let engine: Engine;
let images: { readonly [target in ServicesTarget]: string };
let image: string;
const progress: string[] = [];

function provide() {
  const onProgress = ({ component, state }: { component: string; state: string }) =>
    progress.push(`${component} ${state}`);
  return provideServicesImages({ engine, env: process.env, onProgress: (event) => void onProgress(event) });
}

beforeAll(async () => {
  engine = await connectEngine();
  images = await provide();
  image = images.services;
}, 900_000);

interface Ran {
  readonly code: number;
  readonly out: string;
}

/** Runs a container without network and returns its output; the container is removed afterwards. */
async function run(command: string[], options: object = {}): Promise<Ran> {
  const output = new PassThrough();
  const said = text(output);
  const { HostConfig = {}, ...more } = options as { HostConfig?: object };
  const [{ StatusCode }, container] = await engine.docker.run(image, command, [output, output], {
    ...{ Tty: false, HostConfig: { NetworkMode: 'none', ...HostConfig } },
    ...more,
  });
  output.end();
  await container.remove({ v: true });
  return { code: StatusCode, out: await said };
}

const shell = (script: string, options: object = {}) =>
  run(['-c', script], { Entrypoint: ['sh'], ...options });

describe('the image of our own services', () => {
  test('is built once', async () => {
    progress.length = 0;
    expect(await provide()).toEqual(images);
    expect(progress).toEqual([]);
  });

  test('runs as nobody in particular, who can write nothing but state', async () => {
    const { out } = await shell(
      'id -u; touch /app/x 2>/dev/null || echo no; touch /var/lib/email-events/state/x && echo yes',
    );
    expect(out).toBe('1000\nno\nyes\n');
  });

  test('has what production needs and nothing else', async () => {
    const wanted =
      'ls /app /app/node_modules; find / -xdev -name "*.test.ts" -o -name ca.pem -o -name fixtures';
    const { out } = await shell(`${wanted} 2>/dev/null`);
    const names = out.split('\n');
    expect(names).toEqual(expect.arrayContaining(['core', 'kafkajs', 'lmdb', '@email-events']));
    const superfluous = ['test', 'vitest', 'typescript', 'testcontainers', 'chdb', '@types', '@biomejs'];
    expect(names.filter((name) => superfluous.includes(name))).toEqual([]);
    expect(out).not.toMatch(/\.test\.ts|ca\.pem|fixtures/);
  });

  test('has no command and no role of contributors', async () => {
    for (const name of ['start', 'up', 'down', 'simulate', 'receiver'])
      expect(await run([name])).toEqual({
        code: 2,
        out: expect.stringContaining(`no role and no command '${name}'`),
      });
  });

  test('commands work, on a read-only file system and under any user', async () => {
    for (const options of [{}, { User: '4321:0' }, { HostConfig: { ReadonlyRootfs: true } }]) {
      const plan = await run(['topics', 'plan'], options);
      expect(plan, plan.out).toMatchObject({ code: 1, out: expect.stringContaining('KAFKA_UNREACHABLE') });
      expect(await run(['help', 'dlq'], options)).toMatchObject({
        code: 0,
        out: expect.stringContaining('Dead letters'),
      });
    }
  });

  test('an unknown role is told which there are; a bad configuration what is wrong with it', async () => {
    expect(await run(['ingres'])).toEqual({ code: 2, out: expect.stringContaining('sink-clickhouse') });
    expect(await run(['ingress'])).toEqual({
      code: 1,
      out: expect.stringContaining('plain HTTP off loopback'),
    });
  });

  test('a role is healthy for the engine, and ends in order by SIGTERM', async () => {
    const secret = `whsec_${Buffer.alloc(24, 1).toString('base64')}`;
    const container = await engine.docker.createContainer({
      ...{ Image: images.receiver, Cmd: ['receiver'], Env: [`EMAIL_EVENTS_RECEIVER_SECRETS=${secret}`] },
      ...{ HostConfig: { NetworkMode: 'none', ReadonlyRootfs: true } },
      // That of the image, without its patience.
      Healthcheck: { Interval: 500_000_000 },
    });
    try {
      await container.start();
      const healthy = async () => (await container.inspect()).State.Health?.Status === 'healthy';
      await waitFor('the engine finds it healthy', healthy, 60_000);
      await container.stop({ t: 30 });
      expect((await container.inspect()).State).toMatchObject({ ExitCode: 0, OOMKilled: false });
    } finally {
      await container.remove({ force: true, v: true });
    }
  });

  test('a command ends by SIGTERM, although it is process 1 and does not handle it', async () => {
    const container = await engine.docker.createContainer({
      ...{ Image: image, Cmd: ['topics', 'plan'], HostConfig: { NetworkMode: 'none' } },
    });
    try {
      await container.start();
      const ended = async () => {
        // Until Node runs, no process can take the signal.
        await container.kill({ signal: 'SIGTERM' }).catch(() => {});
        return !(await container.inspect()).State.Running;
      };
      await waitFor('it ends', ended, 30_000);
      // By itself it would end with 1, as there is no broker.
      expect((await container.inspect()).State.ExitCode).toBe(143);
    } finally {
      await container.remove({ force: true, v: true });
    }
  });

  test('one that does not answer is not healthy; where no role runs there is nothing to ask', async () => {
    const check = 'node /app/deploy/images/email-events/healthcheck.mjs';
    expect(await shell(check)).toEqual({ code: 0, out: '' });
    // Looks like the role, but is deaf.
    const deaf = 'sh -c "read never < /dev/zero" processors/src/events/main.ts';
    expect(await shell(`${deaf} & ${check}`)).toEqual({
      code: 1,
      out: expect.stringContaining('http://127.0.0.1:9082/healthz does not answer'),
    });
  });
});
