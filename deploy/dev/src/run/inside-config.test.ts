import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type PipelineConfig, pipelineConfig } from '@email-events/cli/services';
import type { Secret } from '@email-events/core/config';
import { afterAll, expect, test } from 'vitest';
import { INSIDE, type InsideConfig, insideConfig } from './inside-config.ts';

const folder = mkdtempSync(join(tmpdir(), 'inside-config-'));
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
