import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathsOf, REPOSITORY } from '@email-events/cli/home';
import { pipelineConfig } from '@email-events/cli/services';
import { afterAll, expect, test } from 'vitest';
import { EVERY_ESP, generateCredentials } from '../simulate/credentials.ts';
import {
  configuredPorts,
  crmSecret,
  localConfig,
  lookupToken,
  readBaseConfig,
  writeLocalConfig,
} from './local-config.ts';
import { USUAL_PORTS } from './ports.ts';
import { namesOf } from './services.ts';

const home = mkdtempSync(join(tmpdir(), 'local-config-'));
afterAll(() => rmSync(home, { recursive: true, force: true }));
const paths = pathsOf(home);

async function written(base: { [key: string]: unknown }, brokers = ['127.0.0.1:1']) {
  const { sources } = await generateCredentials(paths.secrets);
  const crm = crmSecret(paths.secrets);
  const addresses = {
    kafka: { brokers },
    registry: { url: 'http://127.0.0.1:2/apis/ccompat/v7' },
    clickhouse: { url: 'http://127.0.0.1:3' },
  };
  const config = localConfig({
    base,
    paths,
    addresses,
    ports: USUAL_PORTS,
    sources,
    crmSecretFile: crm.file,
    lookupTokenFile: lookupToken(paths.secrets),
  });
  writeLocalConfig(paths.configFile, config);
  return { config: pipelineConfig.load(paths.configFile, {}), crm };
}

test('the generated file is a complete, valid configuration of this start', async () => {
  const base = readBaseConfig(join(REPOSITORY, 'deploy/config/local.yaml'));
  const { config, crm } = await written(base);
  expect(config.kafka.brokers).toEqual(['127.0.0.1:1']);
  expect(config.registry.url).toBe('http://127.0.0.1:2/apis/ccompat/v7');
  expect(config.sinks.clickhouse.url).toBe('http://127.0.0.1:3');
  expect(config.ingress.adminPort).toBe(USUAL_PORTS.ingressAdmin);
  expect(config.sinks.crm?.url).toBe(`http://127.0.0.1:${USUAL_PORTS.receiver}/suppressions`);
  expect(config.sinks.crm?.secrets.map((secret) => secret.reveal())).toEqual([crm.secret]);
  expect(Object.keys(config.sources)).toEqual(expect.arrayContaining([...EVERY_ESP]));
  expect(config.topics.partitions).toBe(config.topics.rawPartitions);
  expect(pipelineConfig.examine(paths.configFile, {})).toMatchObject({ warnings: [], writtenOut: [] });
});

test('topics have as many replicas as the brokers can hold, unless the base says otherwise', async () => {
  const replicas = async (base: { [key: string]: unknown }, brokers: string[]) => {
    const { topics } = (await written(base, brokers)).config;
    return [topics.replicationFactor, topics.minInsyncReplicas];
  };
  const three = ['127.0.0.1:1', '127.0.0.1:2', '127.0.0.1:3'];
  expect(await replicas({}, three.slice(0, 1))).toEqual([1, 1]);
  expect(await replicas({}, three)).toEqual([3, 2]);
  expect(await replicas({ topics: { replicationFactor: 2, minInsyncReplicas: 1 } }, three)).toEqual([2, 1]);
});

test('what the base says goes before what was chosen; its own sources are added', async () => {
  const { config } = await written({
    ingress: { port: 7000, maxConnections: 9 },
    sources: { mine: { esp: 'postmark', account: 'mine', secrets: ['u:p'] } },
  });
  expect(config.ingress).toMatchObject({
    port: 7000,
    maxConnections: 9,
    adminPort: USUAL_PORTS.ingressAdmin,
    spool: { enabled: true, dir: paths.spool },
  });
  expect(Object.keys(config.sources)).toEqual(expect.arrayContaining(['mine', 'sendgrid', 'ses']));
  const accounts = Object.values(config.sources).filter(({ account }) => account !== undefined);
  expect(accounts.map(({ esp, account }) => [esp, account])).toEqual([
    ['postmark', 'simulator'],
    ['postmark', 'mine'],
  ]);
});

test('secrets that stand for themselves are not in the file, and go with the next start', async () => {
  const filesOfSecrets = () => {
    const folder = `${paths.configFile}.secrets`;
    return existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : [];
  };
  const { config } = await written({
    registry: { username: 'u', password: 'of the registry' },
    sources: { mine: { esp: 'postmark', account: 'mine', secrets: ['u:p', 'v:q\n'] } },
    sinks: { clickhouse: { password: `file:${join(paths.secrets, 'crm.secret')}` } },
  });
  expect(readFileSync(paths.configFile, 'utf8')).not.toMatch(/of the registry|u:p|v:q/);
  expect(config.registry.password?.reveal()).toBe('of the registry');
  expect(config.sources.mine?.secrets.map((secret) => secret.reveal())).toEqual(['u:p', 'v:q\n']);
  expect(filesOfSecrets()).toHaveLength(3);
  for (const file of filesOfSecrets()) expect(statSync(file).mode & 0o077).toBe(0);
  await written({});
  expect(filesOfSecrets()).toEqual([]);
});

test('a base without a section for a CRM has none, and no service for one', async () => {
  const { config } = await written({});
  expect(config.sinks.crm).toBeUndefined();
  expect(namesOf(config)).toEqual(['ingress', 'normalize', 'events', 'sink-clickhouse']);
  const { config: withCrm } = await written({ sinks: { crm: {} } });
  expect(withCrm.sinks.crm).toMatchObject({ adminPort: USUAL_PORTS.sinkCrmAdmin });
  expect(namesOf(withCrm)).toEqual([...namesOf(config), 'sink-crm', 'receiver']);
});

test('a base with a section for look-ups has them, with a token that is made once, for the owner only', async () => {
  expect((await written({})).config.sinks.lookup).toBeUndefined();
  const { config } = await written({ sinks: { lookup: {} } });
  expect(namesOf(config)).toContain('lookup');
  expect(config.sinks.lookup).toMatchObject({
    host: '127.0.0.1',
    port: USUAL_PORTS.lookup,
    adminPort: USUAL_PORTS.lookupAdmin,
  });
  const file = lookupToken(paths.secrets);
  expect(config.sinks.lookup?.tokens.map((token) => token.reveal())).toEqual([readFileSync(file, 'utf8')]);
  expect(statSync(file).mode & 0o077).toBe(0);
});

test('services that share no loopback talk by TLS', async () => {
  const { sources } = await generateCredentials(paths.secrets);
  const tls = { certFile: '/c.pem', keyFile: '/k.pem' };
  const common = {
    paths,
    ports: USUAL_PORTS,
    sources,
    crmSecretFile: '/crm.secret',
    lookupTokenFile: '/lookup.token',
    tls,
  };
  const addresses = {
    kafka: { brokers: ['kafka:19092'] },
    registry: { url: 'http://registry:8080/apis/ccompat/v7' },
    clickhouse: { url: 'http://clickhouse:8123' },
  };
  const config = (base: { [key: string]: unknown }) =>
    localConfig({ ...common, base, addresses, receiverHost: 'receiver' });
  const hubspot = { kind: 'hubspot', secrets: ['env:TOKEN'] };
  expect(config({ sinks: { crm: hubspot } }).sinks).toMatchObject({
    crm: { ...hubspot, adminPort: USUAL_PORTS.sinkCrmAdmin },
  });
  expect((config({ sinks: { crm: hubspot } }).sinks as { crm: object }).crm).not.toHaveProperty('url');
  expect(config({ sinks: { crm: {} } })).toMatchObject({
    ingress: { tls },
    sinks: { crm: { url: `https://receiver:${USUAL_PORTS.receiver}/suppressions` } },
  });
  expect(config({ sinks: { lookup: {} } }).sinks).toMatchObject({
    lookup: { tls, host: '0.0.0.0', tokens: ['file:/lookup.token'] },
  });
  const own = { certFile: '/own.pem', keyFile: '/own.key' };
  expect(config({ ingress: { tls: own } })).toMatchObject({ ingress: { tls: own } });
});

test('configured ports are found; 0 means any', () => {
  expect(
    configuredPorts({ ingress: { port: 7000, adminPort: 0 }, sinks: { crm: { adminPort: 7001 } } }),
  ).toEqual({
    ingress: 7000,
    sinkCrmAdmin: 7001,
  });
});

test('the secret of the CRM is made once, for the owner only', () => {
  const first = crmSecret(paths.secrets);
  expect(crmSecret(paths.secrets)).toEqual(first);
  expect(first.secret).toMatch(/^whsec_/);
  expect(statSync(first.file).mode & 0o077).toBe(0);
});
