import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hunter, VAULT_PATHS, vaultData, vaultOf } from '@email-events/core/testing';
import { afterAll, afterEach, expect, test, vi } from 'vitest';
import { stringify } from 'yaml';
import { pipelineConfig } from '../services.ts';
import { check } from './config.ts';

const folder = mkdtempSync(join(tmpdir(), 'config-action-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

/** Exit code and all that `config check` says of this file, by a schema whose secrets are called anything. */
async function checked(content: string, json: boolean) {
  const config = join(folder, 'pipeline.yaml');
  writeFileSync(config, content);
  let said = '';
  const say = (chunk: string | Uint8Array) => {
    said += chunk;
    return true;
  };
  for (const stream of [process.stdout, process.stderr]) vi.spyOn(stream, 'write').mockImplementation(say);
  vi.stubEnv('SHOP', 's'.repeat(32));
  const code = await check({ json, verbose: true, config }, vaultOf(pipelineConfig));
  vi.restoreAllMocks();
  return { code, said };
}

test.each([true, false])(
  'secrets that the file itself holds are warned of, not shown (json: %j)',
  async (json) => {
    const yaml = stringify(vaultData(hunter));
    const { code, said } = await checked(yaml, json);
    expect(code).toBe(0);
    expect(said).not.toMatch(/hunter2|open-/);
    for (const path of VAULT_PATHS) {
      const line = yaml.split('\n').findIndex((text) => text.includes(hunter(path))) + 1;
      if (json) expect(JSON.parse(said).warnings).toContainEqual(expect.objectContaining({ path, line }));
      else expect(said).toContain(`${path} (line ${line}): the secret itself is in the file`);
    }
  },
);

test.each([true, false])('wrong ones are told, not shown (json: %j)', async (json) => {
  const data = vaultData(hunter);
  const vault = { ...data.vault, token: [hunter('x')], tokn: hunter('y'), ring: hunter('z') };
  const { code, said } = await checked(stringify({ ...data, vault }), json);
  expect(code).toBe(1);
  for (const key of ['token', 'tokn', 'ring']) expect(said).toContain(`vault.${key}`);
  expect(said).not.toContain('hunter2');
});

test('secrets by reference are fine', async () => {
  const file = join(folder, 'secret');
  writeFileSync(file, hunter('elsewhere'));
  const { code, said } = await checked(stringify(vaultData(() => `file:${file}`)), true);
  expect([code, JSON.parse(said)]).toMatchObject([0, { ok: true, problems: [], warnings: [] }]);
});

test('a public key may be written out; a secret beside it may not', async () => {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const key = publicKey.export({ type: 'spki', format: 'der' }).toString('base64');
  const sources = {
    sendgrid: { esp: 'sendgrid', secrets: [key] },
    mailgun: { esp: 'mailgun', secrets: ['k'.repeat(32)] },
  };
  const { code, said } = await checked(stringify({ ...vaultData(() => 'env:SHOP'), sources }), true);
  expect([code, JSON.parse(said)]).toMatchObject([0, { warnings: [{ path: 'sources.mailgun.secrets.0' }] }]);
  expect(JSON.parse(said).warnings).toHaveLength(1);
});

test('what a service warns of is told with its line, and is no problem', async () => {
  const sources = { zepto: { esp: 'zeptomail', secrets: ['env:SHOP'], requestsPerSecond: 5 } };
  const yaml = stringify({ ...vaultData(() => 'env:SHOP'), sources });
  const line = yaml.split('\n').findIndex((text) => text.includes('requestsPerSecond')) + 1;
  const { code, said } = await checked(yaml, true);
  expect([code, JSON.parse(said)]).toMatchObject([
    0,
    { ok: true, warnings: [{ path: 'sources.zepto.requestsPerSecond', line }] },
  ]);
});
