import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError } from '@email-events/core/config';
import { afterAll, describe, expect, test } from 'vitest';
import { pipelineConfig } from '../services.ts';

const dir = mkdtempSync(join(tmpdir(), 'examine-'));
afterAll(() => rmSync(dir, { recursive: true }));

function file(text: string): string {
  const path = join(dir, 'pipeline.yaml');
  writeFileSync(path, text);
  return path;
}

const YAML = `kafka:
  brokers: [far.example:9092]
  clientID: x
  sasl:
    mechanism: plain
    username: u
    password: env:ABSENT_TOO
topics:
  partitions: 0
  minInsyncReplicas: 2
sources:
  one:
    esp: mailgun
    secrets: ["env:ABSENT"]
  two:
    esp: mailgun
    secrets:
      - "${'x'.repeat(32)}"
      - short
  three:
    secrets: ["${'x'.repeat(32)}"]
ingress:
  port: 9080
  requestTimeoutMs: soon
nothing: 1
`;

describe('all problems in one go', () => {
  const check = () => {
    throw new ConfigError([
      { path: 'sources.one.secrets', message: 'needs a secret' },
      { path: 'sources.two.secrets', message: 'cannot be used' },
      { path: 'sources.two.secrets', message: 'cannot be used' },
    ]);
  };
  const examined = pipelineConfig.examine(
    file(YAML),
    { EMAIL_EVENTS_SINKS_CRM_KIND: 'Pigeon' },
    { checks: [check] },
  );

  test('of shape, of secrets, between keys and of services, each with its line', () => {
    expect(examined.problems.map(({ path, line, variable }) => [path, line ?? variable])).toEqual(
      [
        ['kafka.clientID', 3],
        ['topics.partitions', 9],
        ['sources.three.esp', 20],
        ['ingress.requestTimeoutMs', 24],
        ['sinks.crm.kind', 'EMAIL_EVENTS_SINKS_CRM_KIND'],
        ['nothing', 25],
        ['kafka.sasl.password', 7],
        ['sources.one.secrets.0', 14],
        ['sources.one.account', 12],
        ['sources.two.account', 15],
        ['kafka.sasl.mechanism', 5],
        ['topics.minInsyncReplicas', 10],
        ['ingress.adminPort', 22],
        ['sources.two.secrets', 17],
      ].sort(byFirst(examined.problems.map(({ path }) => path))),
    );
    expect(examined.warnings).toMatchObject([{ path: 'sources.two.secrets.1', line: 19 }]);
  });

  test('what depends on a wrong key is not guessed at', () => {
    const paths = (text: string) => pipelineConfig.examine(file(text), {}).problems.map(({ path }) => path);
    // The default would collide.
    expect(paths('ingress: {adminPort: many, port: 9080}')).toEqual(['ingress.adminPort']);
    expect(paths('topics: {minInsyncReplicas: 2, replicationFactor: few}')).toEqual([
      'topics.replicationFactor',
    ]);
  });

  test('a password that cannot be read is one all the same', () => {
    const registry = { url: 'http://far.example', username: 'u', password: 'env:ABSENT' };
    const { problems } = pipelineConfig.examine(file(JSON.stringify({ registry })), {});
    expect(problems.map(({ path }) => path)).toEqual(['registry.password', 'registry.url']);
  });

  test('a check that trips over what is missing hides no problem, and is none', () => {
    const trips = () => {
      throw new TypeError('cannot read');
    };
    expect(pipelineConfig.examine(file('nothing: 1'), {}, { checks: [trips] }).problems).toHaveLength(1);
    expect(() => pipelineConfig.examine(file('{}'), {}, { checks: [trips] })).toThrow(TypeError);
  });

  test('a name that cannot be one is told as such', () => {
    const [problem] = pipelineConfig.examine(
      file('sources:\n  Shop_1: {esp: mailgun, secrets: [x]}\n'),
      {},
    ).problems;
    expect(problem).toMatchObject({ path: 'sources.Shop_1', line: 2 });
    expect(problem?.message).toMatch(/^as a name: /);
  });

  test('a file that is no YAML is told with every place that is wrong', () => {
    const text = 'a: 1\na: 2\nb: 3\nb: 4\n';
    expect(() => pipelineConfig.examine(file(text), {})).toThrow(
      /at line 2, column 1, .* at line 4, column 1$/,
    );
  });

  test('the error says the lines', () => {
    expect(() => pipelineConfig.load(file('log: {}\nnothing: 1\n'), {})).toThrow(
      'nothing (line 2): unknown key',
    );
  });
});

/** The order is the reader's affair. */
function byFirst(order: readonly string[]) {
  return (a: readonly unknown[], b: readonly unknown[]) =>
    order.indexOf(String(a[0])) - order.indexOf(String(b[0]));
}

describe('secrets of other services', () => {
  const data = {
    registry: { username: 'u', password: 'env:REGISTRY' },
    sources: { shop: { esp: 'brevo', secrets: ['env:SHOP'], options: { unsubscribeScope: 'list' } } },
    sinks: { crm: { secrets: ['file:/nowhere/at/all'] }, clickhouse: { password: 'env:CLICKHOUSE' } },
  };

  test('a service starts without them, and has the options of sources', () => {
    const config = pipelineConfig.parse(data, { REGISTRY: 'r' }, { reads: ['kafka', 'registry'] });
    expect(config.registry.password?.reveal()).toBe('r');
    expect(config.sources.shop?.options).toEqual({ unsubscribeScope: 'list' });
  });

  test('its own must be there', () => {
    const problems = (reads: Parameters<typeof pipelineConfig.parse>[2]) => {
      try {
        pipelineConfig.parse(data, {}, reads);
        return [];
      } catch (error) {
        return (error as ConfigError).problems.map(({ path }) => path);
      }
    };
    expect(problems({ reads: ['kafka', 'registry'] })).toEqual(['registry.password']);
    expect(problems({ reads: ['sources'] })).toEqual(['sources.shop.secrets.0']);
    expect(problems({ reads: ['sinks.crm'] })).toEqual(['sinks.crm.secrets.0']);
    expect(problems({})).toHaveLength(4);
  });

  test('one that is asked for all the same is read then, or the error names it', () => {
    const env: { [name: string]: string } = {};
    const { sinks, sources } = pipelineConfig.parse(data, env, { reads: [] });
    expect(() => sinks.crm?.secrets[0]?.reveal()).toThrow(/sinks\.crm\.secrets\.0: file .* cannot be read/);
    expect(() => sources.shop?.secrets[0]?.reveal()).toThrow(ConfigError);
    env.SHOP = 'later';
    expect(sources.shop?.secrets[0]?.reveal()).toBe('later');
    expect(JSON.stringify(sources)).not.toContain('later');
  });
});
