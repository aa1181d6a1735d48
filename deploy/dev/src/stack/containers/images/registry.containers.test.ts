import { beforeAll, expect, test } from 'vitest';
import { registryAnswers } from '../../probes.ts';
import { foreignFolder, type ImageRun, runImage } from '../../testing/run-image.ts';
import { connectEngine, type Engine } from '../engine.ts';
import { provideImage } from './choose.ts';

// The properties that the stack relies on, of the public image or of its stand-in.

const DATA = '/var/lib/registry';
const STOP_SECONDS = 30;
const SMALL = '-Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1';
const SCHEMA = { type: 'record', name: 'Opened', fields: [{ name: 'at', type: 'long' }] };

let engine: Engine;
let image: string;

beforeAll(async () => {
  engine = await connectEngine();
  ({ reference: image } = await provideImage('registry', { engine, env: process.env, onProgress: () => {} }));
});

async function registry(over: Partial<ImageRun> = {}, port = 8080) {
  const container = await runImage(engine, {
    image,
    ports: { [port]: 0, 9000: 0 },
    ...over,
    env: { JAVA_OPTS_APPEND: SMALL, ...over.env },
  });
  const url = `http://${engine.host}:${await container.port(port)}/apis/ccompat/v7`;
  await container.until(() => registryAnswers({ url }));
  return { container, url };
}

async function register(url: string, subject: string): Promise<number> {
  const response = await fetch(`${url}/subjects/${subject}/versions`, {
    method: 'POST',
    headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
    body: JSON.stringify({ schema: JSON.stringify(SCHEMA) }),
  });
  return ((await response.json()) as { id: number }).id;
}

async function schemaOf(url: string, id: number): Promise<unknown> {
  const response = await fetch(`${url}/schemas/ids/${id}`);
  return JSON.parse(((await response.json()) as { schema: string }).schema);
}

test('it registers schemas and says on another port that it is well; options for Java are taken from a variable', async () => {
  const env = { JAVA_OPTS_APPEND: `${SMALL} -Dquarkus.http.port=8181` };
  const { container, url } = await registry({ env }, 8181);
  const id = await register(url, 'opened-value');
  expect(await schemaOf(url, id)).toEqual(SCHEMA);
  const health = await fetch(`http://${engine.host}:${await container.port(9000)}/health`);
  expect(await health.json()).toMatchObject({ status: 'UP' });
});

test('settings are taken from variables: schemas outlive the container, whose user the image need not know', async () => {
  const { folder, user } = await foreignFolder();
  const over = {
    user,
    mounts: { [folder]: DATA },
    env: {
      APICURIO_STORAGE_KIND: 'sql',
      APICURIO_STORAGE_SQL_KIND: 'h2',
      APICURIO_DATASOURCE_URL: `jdbc:h2:file:${DATA}/registry`,
    },
  };
  const first = await registry(over);
  const id = await register(first.url, 'kept-value');
  expect([0, 143]).toContain(await first.container.stop(STOP_SECONDS));
  await first.container.remove();

  const second = await registry(over);
  expect(await schemaOf(second.url, id)).toEqual(SCHEMA);
});
