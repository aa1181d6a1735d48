import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type PipelineConfig, pipelineConfig } from '@email-events/cli/services';
import type { Secret } from '@email-events/core/config';
import { afterAll, expect, test } from 'vitest';
import { INSIDE, type InsideConfig, insideConfig, mountFolder, userOfContainers } from './container-files.ts';

const folder = mkdtempSync(join(tmpdir(), 'container-files-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function fileOf(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

test('whatever refers to this machine refers to a copy', () => {
  const tree = {
    kafka: { tls: { enabled: true, caFile: fileOf('ca.pem', 'CA') } },
    registry: { username: 'u', password: 'env:REGISTRY_PASSWORD' },
    sources: {
      one: { esp: 'mailgun', secrets: [`file:${fileOf('one.key', 'key one\n')}`, 'env:TWO'] },
    },
    ingress: { tls: { certFile: fileOf('cert.pem', 'CERT'), keyFile: fileOf('key.pem', 'KEY') } },
  };
  const { config, files } = insideConfig(tree, { REGISTRY_PASSWORD: 'pass', TWO: 'key two' });
  const copies = new Map(files.map(({ path, content }) => [`${INSIDE.files}/${path}`, content]));
  const { kafka, registry, sources, ingress } = config as typeof tree;
  const copied = (reference: string | undefined) => copies.get((reference ?? '').replace(/^file:/, ''));
  expect(copied(kafka.tls.caFile)).toBe('CA');
  expect([copied(ingress.tls.certFile), copied(ingress.tls.keyFile)]).toEqual(['CERT', 'KEY']);
  expect(copied(registry.password)).toBe('pass');
  expect(sources.one.secrets.map(copied)).toEqual(['key one', 'key two']);
  expect(JSON.stringify(config)).not.toContain(folder);
  expect(JSON.stringify(config)).not.toMatch(/env:|key one|key two|"pass"/);
});

test('the values of the environment are in it: a container has none of ours', () => {
  const env = { EMAIL_EVENTS_LOG_LEVEL: 'debug', EMAIL_EVENTS_SINKS_CRM_SECRETS: 'env:CRM', CRM: 'whsec_x' };
  const { config, files } = insideConfig({}, env);
  expect(config).toMatchObject({ log: { level: 'debug' } });
  expect(files).toEqual([{ path: 'files/0', content: 'whsec_x' }]);
});

/** The secrets as a container reads them, the copies taken from where they are put. */
function readInside({ config, files }: InsideConfig): PipelineConfig {
  const placed = files.map(({ path, content }) => [
    `${INSIDE.files}/${path}`,
    fileOf(path.replace('/', '-'), content),
  ]);
  const text = placed.reduce(
    (all, [inside, here]) => all.replace(`"file:${inside}"`, `"file:${here}"`),
    JSON.stringify(config),
  );
  return pipelineConfig.parse(JSON.parse(text));
}

test('a secret that stands for itself is a copy too, wherever it comes from', () => {
  const tree = {
    kafka: { sasl: { mechanism: 'plain', username: 'u' } },
    registry: { username: 'u', password: 'of the file' },
    sources: { one: { esp: 'mailgun', secrets: ['key one', 'with a line end\n'] } },
    sinks: { clickhouse: { password: 'clickhouse pass' } },
  };
  const env = {
    EMAIL_EVENTS_REGISTRY_PASSWORD: 'hunter2',
    EMAIL_EVENTS_KAFKA_SASL_PASSWORD: 'kafka pass',
    EMAIL_EVENTS_SINKS_CRM_SECRETS: 'whsec_one, whsec_two',
  };
  const inside = insideConfig(tree, env);
  expect(JSON.stringify(inside.config)).not.toMatch(/of the file|hunter2|key one|line end|pass"|whsec_/);
  const { kafka, registry, sources, sinks } = readInside(inside);
  const revealed = (secrets: readonly Secret[] = []) => secrets.map((secret) => secret.reveal());
  expect(kafka.sasl?.password.reveal()).toBe('kafka pass');
  expect(registry.password?.reveal()).toBe('hunter2');
  expect(revealed(sources.one?.secrets)).toEqual(['key one', 'with a line end\n']);
  expect(sinks.clickhouse.password?.reveal()).toBe('clickhouse pass');
  expect(revealed(sinks.crm?.secrets)).toEqual(['whsec_one', 'whsec_two']);
});

test('secrets of a list, or of a source, that the environment gives as YAML are copies', () => {
  const env = {
    EMAIL_EVENTS_SINKS_CRM_SECRETS: '[whsec_one, "whsec_two"]',
    EMAIL_EVENTS_SOURCES: '{one: {esp: mailgun, secrets: [key one]}}',
  };
  const { config, files } = insideConfig({}, env);
  expect(JSON.stringify(config)).not.toMatch(/whsec_|key one/);
  expect(files.map(({ content }) => content).sort()).toEqual(['key one', 'whsec_one', 'whsec_two']);
});

test('folders are those of the image; the rest of a section stays', () => {
  const tree = {
    ingress: { port: 7000, spool: { dir: '/here', maxBytes: 16_777_216 } },
    events: { stateDir: '/here', concurrency: 2 },
  };
  const { config } = insideConfig(tree, {});
  const parsed = pipelineConfig.parse(config);
  expect(parsed.ingress).toMatchObject({ port: 7000, spool: { dir: INSIDE.spool, maxBytes: 16_777_216 } });
  expect(parsed.events).toMatchObject({ stateDir: INSIDE.state, concurrency: 2 });
});

test('a secret that cannot be read is named, not shown', () => {
  expect(() => insideConfig({ registry: { password: 'env:NOT_SET' } }, {})).toThrow(
    'environment variable NOT_SET is not set',
  );
});

const isRoot = process.getuid?.() === 0;

test('root is nobody in a container; others are themselves, in the group of unknown users', () => {
  expect(userOfContainers(0)).toEqual({ uid: 1000, gid: 1000 });
  expect(userOfContainers(501)).toEqual({ uid: 501, gid: 0 });
});

test('the folder is made, and all that is in it belongs to the user of the containers', async () => {
  const source = join(folder, 'data', 'state');
  mkdirSync(join(source, 'deep'), { recursive: true });
  writeFileSync(join(source, 'deep', 'file'), '');
  const user = userOfContainers();
  expect(await mountFolder({ local: true }, user, { source, target: '/t' })).toEqual([
    { source, target: '/t' },
  ]);
  for (const path of [source, join(source, 'deep'), join(source, 'deep', 'file')]) {
    expect(statSync(path).uid).toBe(user.uid);
  }
});

/** A file that no container may get, in a separate folder. */
function outsideOf(name: string) {
  const outside = join(folder, `outside ${name}`);
  mkdirSync(outside);
  const file = join(outside, 'shadow');
  writeFileSync(file, '');
  return { outside, file };
}

test.runIf(isRoot)('a link is given, not what it leads to', async () => {
  const { outside, file } = outsideOf('links');
  const source = join(folder, 'links');
  mkdirSync(source);
  const links = [join(source, 'to-file'), join(source, 'to-folder')] as const;
  symlinkSync(file, links[0]);
  symlinkSync(outside, links[1]);
  const user = userOfContainers();
  await mountFolder({ local: true }, user, { source, target: '/t' });
  expect([outside, file].map((path) => statSync(path).uid)).toEqual([0, 0]);
  expect(links.map((link) => lstatSync(link).uid)).toEqual([user.uid, user.uid]);
});

test('a link to nothing does not keep the rest from being given', async () => {
  const source = join(folder, 'dangling');
  mkdirSync(source);
  symlinkSync(join(folder, 'missing'), join(source, 'a-link'));
  writeFileSync(join(source, 'b-file'), '');
  const user = userOfContainers();
  await mountFolder({ local: true }, user, { source, target: '/t' });
  expect(statSync(join(source, 'b-file')).uid).toBe(user.uid);
});

test.runIf(isRoot)('a folder that is a link itself is not followed either', async () => {
  const { outside, file } = outsideOf('folder');
  const source = join(folder, 'linked');
  symlinkSync(outside, source);
  await mountFolder({ local: true }, userOfContainers(), { source, target: '/t' });
  expect([outside, file].map((path) => statSync(path).uid)).toEqual([0, 0]);
});

test('an engine elsewhere sees no folder of this machine', async () => {
  const source = join(folder, 'elsewhere');
  expect(await mountFolder({ local: false }, userOfContainers(), { source, target: '/t' })).toEqual([]);
  expect(existsSync(source)).toBe(false);
});
