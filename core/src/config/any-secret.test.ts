import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { format, inspect } from 'node:util';
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest';
import { stringify } from 'yaml';
import { createLogger } from '../telemetry.ts';
import type { CommonConfig } from './common.ts';
import { commonConfig } from './compose.ts';
import type { ConfigUse } from './load.ts';
import { ConfigError } from './problems.ts';
import type { Secret } from './secret.ts';
import { secretsOf } from './secrets.ts';
import { hunter, VAULT_OPEN, VAULT_PATHS, vaultData, vaultOf } from './vault.fixture.ts';

// A field's mark makes its value a secret: code that reads, checks or shows values must go by the mark.

const dir = mkdtempSync(join(tmpdir(), 'any-secret-'));
afterAll(() => rmSync(dir, { recursive: true }));
afterEach(() => vi.restoreAllMocks());

const vaultConfig = vaultOf(commonConfig);
const SHOP = { SHOP: 's'.repeat(32) };
const nameOf = (path: string) => path.toUpperCase().replaceAll('.', '_');

function fileOf(name: string, content: string): string {
  const path = join(dir, name);
  writeFileSync(path, content);
  return path;
}

/** The same secrets as they stand in the file, and by reference. */
const WAYS: [string, (path: string) => string][] = [
  ['written out', hunter],
  ['in a variable', (path) => `env:${nameOf(path)}`],
  ['in a file', (path) => `file:${fileOf(nameOf(path), hunter(path))}`],
];
const ENV = { ...SHOP, ...Object.fromEntries(VAULT_PATHS.map((path) => [nameOf(path), hunter(path)])) };

/** Returns the lines that pino writes to standard output. */
function logged(log: (logger: ReturnType<typeof createLogger>) => void): string {
  const logger = createLogger('ingress', 'debug');
  const symbol = Object.getOwnPropertySymbols(logger).find(
    ({ description }) => description === 'pino.stream',
  );
  const stream = Reflect.get(logger, symbol ?? '') as { write(line: string): void };
  const write = vi.spyOn(stream, 'write').mockImplementation(() => {});
  log(logger);
  return write.mock.calls.map(([line]) => line).join('');
}

describe.each(WAYS)('%s', (_, textOf) => {
  const config = () => vaultConfig.parse(vaultData(textOf), ENV);

  test('each is a Secret with its value, and nothing else is one', () => {
    const found = secretsOf(config()).filter(({ path }) => path !== 'sources.shop.secrets.0');
    expect(found.map(({ path, secret }) => [path, secret.reveal()]).sort()).toEqual(
      VAULT_PATHS.map((path) => [path, hunter(path)]).sort(),
    );
    expect(config()).toMatchObject({ vault: VAULT_OPEN });
  });

  test('none shows in a line of the log, as text or as JSON', () => {
    const shown = config();
    const lines = logged((log) => {
      log.info({ config: shown, ...shown }, 'effective configuration');
      log.info('%s %o %O %j', shown, shown, shown, shown);
      log.error({ err: new Error(`bad: ${secretsOf(shown).map(({ secret }) => secret)}`) });
    });
    const rest = [JSON.stringify(shown), inspect(shown, { depth: 9, showHidden: true }), format('%j', shown)];
    expect(lines).toContain('open-password');
    expect([lines, ...rest].join('\n')).not.toContain('hunter2');
  });
});

test('one of another section is read when it is asked for', () => {
  const text = (path: string) => `env:${nameOf(path)}`;
  const use: ConfigUse<CommonConfig> = { reads: ['kafka'] };
  const found = secretsOf(vaultConfig.parse(vaultData(text), {}, use));
  expect(found).toHaveLength(VAULT_PATHS.length + 1);
  for (const { path, secret } of found) expect(() => secret.reveal(), path).toThrow(path);
});

describe('what is wrong', () => {
  const all = vaultData(hunter);
  const { vault } = all;
  const wrong: [string, object, string][] = [
    ['a text where a list belongs', { ...vault, ring: hunter('x') }, 'vault.ring'],
    ['a list where a text belongs', { ...vault, token: [hunter('x')] }, 'vault.token'],
    ['a section where a text belongs', { ...vault, token: { text: hunter('x') } }, 'vault.token'],
    ['a misspelt key', { ...vault, tokn: hunter('x') }, 'vault.tokn'],
    ['neither of two', { ...vault, either: [hunter('x')] }, 'vault.either'],
    ['one that is too short', { ...vault, long: 'hun' }, 'vault.long'],
    ['one that cannot be read', { ...vault, apiKey: 'env:NOT_SET' }, 'vault.apiKey'],
    ['one that is empty', { ...vault, rows: [{ phrase: ' ' }] }, 'vault.rows.0.phrase'],
  ];

  test.each(wrong)('%s is told by its path, without any value', (_, changed, path) => {
    let thrown: unknown;
    try {
      vaultConfig.load(fileOf('wrong.yaml', stringify({ ...all, vault: changed })), ENV);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(ConfigError);
    const error = thrown as ConfigError;
    expect(error.problems.map((problem) => problem.path)).toEqual([path]);
    const lines = logged((log) => log.fatal({ err: error, problems: error.problems }, 'cannot be used'));
    const shown = [lines, error.stack, JSON.stringify(error), inspect(error, { depth: 9, showHidden: true })];
    expect(shown.join('\n')).not.toMatch(/hunter2|\bhun\b/);
  });

  test('a variable of odd YAML warns nobody of what is in it', () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const env = { ...ENV, EMAIL_EVENTS_VAULT_RING: `[!odd ${hunter('x')}]` };
    const { vault: read } = vaultConfig.parse(all, env) as unknown as { vault: { ring: Secret[] } };
    expect(read.ring.map((secret) => secret.reveal())).toEqual([hunter('x')]);
    expect(warn).not.toHaveBeenCalled();
  });
});

describe('secrets that are written out', () => {
  const yaml = stringify(vaultData(hunter));
  const lineOf = (path: string) => {
    const text = yaml.split('\n').findIndex((line) => line.includes(hunter(path)));
    return text + 1;
  };

  test('each is told with its line, without its value, and is no problem', () => {
    const { writtenOut, problems } = vaultConfig.examine(fileOf('literal.yaml', yaml), SHOP);
    expect(problems).toEqual([]);
    expect(writtenOut.map(({ path, line }) => [path, line]).sort()).toEqual(
      VAULT_PATHS.map((path) => [path, lineOf(path)]).sort(),
    );
    expect(JSON.stringify(writtenOut)).not.toMatch(/hunter2|open-/);
  });

  test.each(WAYS.slice(1))('%s none is', (_, textOf) => {
    const file = fileOf('referred.yaml', stringify(vaultData(textOf)));
    expect(vaultConfig.examine(file, ENV).writtenOut).toEqual([]);
  });

  test('what the environment says is not in the file', () => {
    const env = { ...SHOP, EMAIL_EVENTS_VAULT: stringify(vaultData(hunter).vault) };
    const { writtenOut } = vaultConfig.examine(fileOf('literal.yaml', yaml), env);
    expect(writtenOut.map(({ path }) => path)).toEqual(['sources.shop.hook']);
  });

  test('an empty one is a problem already', () => {
    const file = fileOf('empty.yaml', 'registry:\n  password: " "\n');
    expect(vaultConfig.examine(file, {})).toMatchObject({ problems: [{ line: 2 }], writtenOut: [] });
  });
});

test('any secret of a source is judged by whether it can be guessed', () => {
  const data = vaultData((path) => (path === 'sources.shop.hook' ? 'short' : hunter(path)));
  const { warnings } = vaultConfig.examine(fileOf('short.yaml', stringify(data)), SHOP);
  expect(warnings).toMatchObject([
    { path: 'sources.shop.hook', message: expect.stringMatching(/^has 5 of/) },
  ]);
});
