import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipelineConfig } from '@email-events/cli/services';
import { hunter, VAULT_OPEN, VAULT_PATHS, vaultData, vaultOf } from '@email-events/core/testing';
import { afterAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { INSIDE, insideConfig } from './container-files.ts';
import { readBaseConfig, renderLocalConfig, writeLocalConfig } from './local-config.ts';

// Which values a start writes into separate files is decided by the marks of the schema, not by the names of fields.

const folder = mkdtempSync(join(tmpdir(), 'any-secret-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const SHOP = { SHOP: 's'.repeat(32) };
const vaultConfig = vaultOf(pipelineConfig);
const { json } = vaultConfig.schema;
const at = (tree: unknown, path: string) =>
  path.split('.').reduce<unknown>((found, key) => (found as { [key: string]: unknown })?.[key], tree);

test('no secret is in the configuration of local services; it says where they are', () => {
  const file = join(folder, 'pipeline.yaml');
  writeLocalConfig(file, vaultData(hunter), json);
  const written = readFileSync(file, 'utf8');
  expect(written).not.toContain('hunter2');
  expect(at(parse(written), 'sources.shop.secrets')).toEqual(['env:SHOP']);
  const config = vaultConfig.load(file, SHOP);
  for (const path of VAULT_PATHS)
    expect(at(config, path), path).toMatchObject({ reveal: expect.any(Function) });
  expect(VAULT_PATHS.map((path) => (at(config, path) as { reveal(): string }).reveal())).toEqual(
    VAULT_PATHS.map(hunter),
  );
  expect(config).toMatchObject({ vault: VAULT_OPEN });
  for (const name of readdirSync(`${file}.secrets`))
    expect(statSync(join(`${file}.secrets`, name)).mode & 0o077).toBe(0);
});

test('nor is one that is misplaced, or a number; what is wrong with it is told all the same', () => {
  const { vault, ...rest } = vaultData(hunter);
  const wrong = { token: 4_815_162_342, tokn: hunter('x'), ring: hunter('y'), long: [hunter('z')] };
  const file = join(folder, 'wrong.yaml');
  writeLocalConfig(file, { ...rest, vault: { ...vault, ...wrong } }, json);
  expect(readFileSync(file, 'utf8')).not.toMatch(/hunter2|4815162342/);
  const load = () => vaultConfig.load(file, SHOP);
  for (const key of Object.keys(wrong)) expect(load, key).toThrow(`vault.${key}`);
});

test('no secret is in the configuration that a container gets; each is a file of its own', () => {
  const { vault, ...rest } = vaultData(hunter);
  const paper = join(folder, 'paper.pem');
  writeFileSync(paper, 'PAPER');
  const env = { ...SHOP, EMAIL_EVENTS_VAULT_TOKEN: 'env:ELSEWHERE', ELSEWHERE: hunter('elsewhere') };
  const { config, files } = insideConfig({ ...rest, vault: { ...vault, paper } }, env, json);
  expect(renderLocalConfig(config)).not.toMatch(/hunter2|env:|PAPER/);
  const copies = new Map(files.map(({ path, content }) => [`${INSIDE.files}/${path}`, content]));
  const copyAt = (path: string) => copies.get(String(at(config, path)).replace(/^file:/, ''));
  expect(VAULT_PATHS.map(copyAt)).toEqual(
    VAULT_PATHS.map((path) => hunter(path === 'vault.token' ? 'elsewhere' : path)),
  );
  expect([copyAt('sources.shop.secrets.0'), copyAt('vault.paper')]).toEqual([SHOP.SHOP, 'PAPER']);
  expect(config).toMatchObject({ vault: VAULT_OPEN });
});

test('a base that is no YAML is refused without quoting it', () => {
  const file = join(folder, 'open.yaml');
  writeFileSync(file, `vault: 1\nvault: {token: ${hunter('x')}}\n`);
  let thrown: unknown;
  try {
    readBaseConfig(file);
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toMatchObject({ code: 'CONFIG_UNREADABLE', message: expect.stringMatching(/at line \d+/) });
  expect(`${(thrown as Error).stack} ${(thrown as Error).cause}`).not.toContain('hunter2');
});
