import { readFileSync } from 'node:fs';
import type { JsonSchema } from '@email-events/core/config';
import { referenceYaml } from '@email-events/core/config';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { pipelineConfig } from '../services.ts';

const fileOf = (name: string) => new URL(`../../../config/${name}`, import.meta.url).pathname;
const text = readFileSync(fileOf('pipeline.reference.yaml'), 'utf8');

test('the reference file is what is generated', () => {
  expect(text).toBe(referenceYaml(pipelineConfig.schema.json));
});

test('the reference file means the defaults', () => {
  expect(pipelineConfig.parse(parse(text))).toEqual(pipelineConfig.parse({}));
});

test('every key is in the reference file, with its description', () => {
  const lines = text.split('\n').map((line) => line.replace(/^[\s#]+/, ''));
  const missing = keysOf(pipelineConfig.schema.json).filter(({ key, description }) => {
    const at = lines.findIndex(
      (line, index) => line.startsWith(`${key}:`) && lines[index - 1] === description,
    );
    return at === -1;
  });
  expect(missing).toEqual([]);
  expect(keysOf(pipelineConfig.schema.json).length).toBeGreaterThan(70);
});

test('every key of the schema that has a default has it in the reference file', () => {
  const written = parse(text) as { [key: string]: unknown };
  for (const [path, value] of defaultsOf(pipelineConfig.schema.json, [])) {
    const found = path.reduce<unknown>((tree, key) => (tree as { [key: string]: unknown })?.[key], written);
    expect(found, path.join('.')).toEqual(value);
  }
});

test('with the comment marks of its settings taken away the reference file is still YAML', () => {
  let settings = text.replace('sources: {}', 'sources:').replace('others: {}', 'others:');
  for (let before = ''; before !== settings; ) {
    before = settings;
    settings = settings.replace(/^( *)# ( *(?:# +)*(?:[A-Za-z]+|<name>):(?: .*)?)$/gm, '$1$2');
  }
  const { kafka, sources, sinks } = parse(settings);
  expect(Object.keys(kafka.sasl)).toEqual(['mechanism', 'username', 'password', 'tokenUrl', 'scope']);
  expect(kafka.tls.enabled).toBe(false);
  expect(Object.keys(kafka.tls)).toContain('caFile');
  expect(sources['<name>']).toMatchObject({ esp: '<string>', secrets: [], suppresses: 'all' });
  expect(sinks.crm.others['<name>']).toMatchObject({ kind: 'http', secrets: [] });
});

test('the minimal file is complete, and without its secrets says which are missing', () => {
  const env = {
    SENDGRID_PUBLIC_KEY: 'a',
    MAILGUN_SIGNING_KEY: 'b',
    POSTMARK_BASIC_AUTH: 'c:d',
    STANDARD_WEBHOOKS_SECRET: 'e',
    CRM_SIGNING_SECRET: 'f',
  };
  const config = pipelineConfig.load(fileOf('pipeline.yaml'), env);
  expect(Object.entries(config.sources).map(([name, { esp }]) => [name, esp])).toEqual(
    ['sendgrid', 'mailgun', 'postmark', 'ses', 'standard-webhooks'].map((name) => [name, name]),
  );
  const unsigned = Object.entries(config.sources).filter(([, { secrets }]) => secrets.length === 0);
  expect(unsigned.map(([name]) => name)).toEqual(['ses']);
  const check = () => pipelineConfig.load(fileOf('pipeline.yaml'), {});
  for (const name of Object.keys(env)) expect(check).toThrow(name);
});

test('the minimal file holds no literal secret', () => {
  const data = parse(readFileSync(fileOf('pipeline.yaml'), 'utf8'));
  const secrets = [...Object.values(data.sources), data.sinks.crm].flatMap(
    (entry) => (entry as { secrets?: string[] }).secrets ?? [],
  );
  expect(secrets).toHaveLength(5);
  for (const secret of secrets) expect(secret).toMatch(/^env:[A-Z_]+$/);
});

interface Key {
  readonly key: string;
  readonly description: string | undefined;
  readonly schema: JsonSchema;
}

function keysOf(schema: JsonSchema): Key[] {
  const { properties = {}, additionalProperties } = schema;
  const below = typeof additionalProperties === 'object' ? keysOf(additionalProperties) : [];
  const own = Object.entries(properties).flatMap(([key, child]) => [
    { key, description: child.description, schema: child },
    ...keysOf(child),
  ]);
  return [...own, ...below];
}

function defaultsOf(schema: JsonSchema, path: string[]): [string[], unknown][] {
  return Object.entries(schema.properties ?? {}).flatMap(([key, child]): [string[], unknown][] => {
    const at = [...path, key];
    if (child.properties) return 'default' in child ? defaultsOf(child, at) : [];
    return 'default' in child ? [[at, child.default]] : [];
  });
}
