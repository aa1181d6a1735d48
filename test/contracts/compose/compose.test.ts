import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pipelineConfig, servicesOf } from '@email-events/cli/services';
import { valueAt } from '@email-events/core/config';
import { Ajv } from 'ajv';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { variablesOf } from '../../../deploy/dev/src/stack/containers/specs.ts';
import { brokerSettings, REGISTRY_API, registrySettings } from '../../../deploy/dev/src/stack/settings.ts';
import { readVersions } from '../../../deploy/dev/src/stack/versions.ts';
import { programPath, promtool, run } from '../../harness/prometheus.ts';
import { DASHBOARDS, GRAFANA } from '../analytics/dashboards.ts';

// Docker has no public images here, so what can be known of deploy/compose without starting it is.

const root = join(import.meta.dirname, '../../..');
const folder = join(root, 'deploy/compose');
const read = (file: string) => readFileSync(join(folder, file), 'utf8');

interface Service {
  readonly image: string;
  readonly command?: readonly string[];
  readonly environment?: { readonly [name: string]: string };
  readonly volumes?: readonly string[];
  readonly ports?: readonly string[];
  readonly secrets?: readonly string[];
  readonly depends_on?: { readonly [name: string]: { readonly condition: string } };
  readonly healthcheck?: object;
}

interface Compose {
  readonly services: { readonly [name: string]: Service };
  readonly volumes: object;
  readonly secrets: { readonly [name: string]: { readonly file: string } };
}

const compose = parse(read('compose.yaml'), { merge: true }) as Compose;
const services = Object.entries(compose.services);
const ours = services.filter(([, { image }]) => image.includes('EMAIL_EVENTS_IMAGE'));
const config = () => pipelineConfig.parse(parse(read('pipeline.yaml')), {}, { reads: [] });

test('it is what the Compose specification allows, and a misspelt key would not be', () => {
  const schema = JSON.parse(
    readFileSync(join(root, 'node_modules/docker-compose/schema/compose-spec.json'), 'utf8'),
  );
  const validate = new Ajv({ strict: false, validateFormats: false, validateSchema: false }).compile(schema);
  expect(validate(compose), JSON.stringify(validate.errors)).toBe(true);
  const { kafka, ...others } = compose.services;
  expect(validate({ ...compose, services: { ...others, kafka: { ...kafka, volume: ['x:/y'] } } })).toBe(
    false,
  );
});

/** By whoever starts it, as the README says. */
const MADE = ['./tls', './secrets/grafana_user.xml'];

test('everything that a service names is there, and everything that is there is named', () => {
  const volumes = new Set<string>();
  const secrets = new Set<string>();
  for (const [name, service] of services) {
    for (const volume of service.volumes ?? []) {
      const [source = ''] = volume.split(':');
      if (!source.startsWith('.')) volumes.add(source);
      else if (!MADE.includes(source))
        expect(existsSync(join(folder, source)), `${name}: ${source}`).toBe(true);
    }
    for (const secret of service.secrets ?? []) secrets.add(secret);
    for (const [other, { condition }] of Object.entries(service.depends_on ?? {})) {
      expect(compose.services, `${name} waits for ${other}`).toHaveProperty(other);
      if (condition === 'service_healthy') expect(compose.services[other]).toHaveProperty('healthcheck');
    }
  }
  expect([...volumes].sort()).toEqual(Object.keys(compose.volumes).sort());
  expect([...secrets].sort()).toEqual(Object.keys(compose.secrets).sort());
  const readme = read('README.md');
  for (const { file } of Object.values(compose.secrets)) expect(readme).toContain(file.slice(2));
  for (const path of MADE) expect(readme).toContain(path.slice(2));
});

test('it runs every service of its configuration, by the names and ports that these have', () => {
  const wanted = servicesOf(config());
  const roles = ours.flatMap(([name, { command }]) => (command?.length === 1 ? [[name, ...command]] : []));
  expect(roles.sort()).toEqual(wanted.map(({ name }) => [name, name]).sort());
  const once = ours.flatMap(([, { command }]) => (command?.length === 2 ? [command.join(' ')] : []));
  expect(once.sort()).toEqual(['clickhouse migrate', 'schemas register', 'topics apply']);
  const { scrape_configs: jobs } = parse(read('prometheus.yml'));
  const targets = jobs.flatMap((job: { dns_sd_configs: { names: string[]; port: number }[] }) =>
    job.dns_sd_configs.map(({ names, port }) => [...names, port]),
  );
  expect(targets.sort()).toEqual(
    wanted.map(({ name, section }) => [name, valueAt(config(), `${section}.adminPort`)]).sort(),
  );
});

test('the configuration is valid, and is about these components and these files', () => {
  const { kafka, registry, sinks, ingress } = config();
  expect(kafka.brokers).toEqual(['kafka:9092']);
  expect(registry.url).toBe(`http://registry:8080${REGISTRY_API}`);
  expect(sinks.clickhouse).toMatchObject({
    url: 'http://clickhouse:8123',
    username: compose.services.clickhouse?.environment?.CLICKHOUSE_USER,
  });
  const mounted = compose.services.ingress?.volumes?.map((volume) => volume.split(':')[1]) ?? [];
  for (const file of [ingress.tls?.certFile, ingress.tls?.keyFile])
    expect(mounted.some((path) => file?.startsWith(`${path}/`))).toBe(true);
  const files = [...read('pipeline.yaml').matchAll(/file:\/run\/secrets\/(\w+)/g)].map(([, name]) => name);
  expect(new Set(files)).toEqual(new Set(ours.flatMap(([, { secrets = [] }]) => secrets)));
});

test('components have the versions and the settings that all tests run on', () => {
  const images = (name: string) => compose.services[name]?.image;
  const { KAFKA_IMAGE, REGISTRY_IMAGE, CLICKHOUSE_IMAGE } = readVersions();
  expect([images('kafka'), images('registry'), images('clickhouse')]).toEqual([
    ...[KAFKA_IMAGE, REGISTRY_IMAGE, CLICKHOUSE_IMAGE],
  ]);
  const kafka = variablesOf(
    brokerSettings({
      nodeId: 1,
      listeners: [{ name: 'INSIDE', bind: '0.0.0.0:9092', advertised: 'kafka:9092' }],
      ...{ interBroker: 'INSIDE', controllers: ['localhost:9093'], logDir: '/var/lib/kafka/data' },
    }),
    'KAFKA_',
  );
  const { CLUSTER_ID = '', KAFKA_HEAP_OPTS, ...own } = compose.services.kafka?.environment ?? {};
  expect(Buffer.from(CLUSTER_ID, 'base64url')).toHaveLength(16);
  expect(kafka).toMatchObject(own);
  const { JAVA_OPTS_APPEND, ...registry } = compose.services.registry?.environment ?? {};
  expect(registry).toEqual(variablesOf(registrySettings('/var/lib/registry/registry')));
});

test('nothing but the webhooks is reached from outside, and nothing of ours may do more than it needs', () => {
  const published = services.flatMap(([name, { ports = [] }]) => ports.map((port) => [name, port]));
  const open = published.filter(([, port]) => !port?.startsWith('127.0.0.1:')).map(([name]) => name);
  expect(open).toEqual(['ingress']);
  for (const [name, service] of ours)
    expect(service, name).toMatchObject({ read_only: true, cap_drop: ['ALL'] });
});

test('Prometheus and Alertmanager take their configurations', async () => {
  const rules = services.flatMap(([, { volumes = [] }]) =>
    volumes.filter((path) => path.includes('.rules.yml')),
  );
  const { rule_files: files } = parse(read('prometheus.yml'));
  expect(rules.map((path) => path.split(':')[1])).toEqual(
    files.map((file: string) => `/etc/prometheus/${file}`),
  );
  expect(await promtool(['check', 'config', '--syntax-only', join(folder, 'prometheus.yml')])).toMatchObject({
    code: 0,
  });
  const checked = await run(
    await programPath('amtool'),
    ['check-config', join(folder, 'alertmanager.yml')],
    '',
  );
  expect(checked, checked.out).toMatchObject({ code: 0 });
});

test('Grafana has the data sources that its dashboards ask, at the components and users of this file', () => {
  const provisioned = (file: string) => parse(readFileSync(join(GRAFANA, 'provisioning', file), 'utf8'));
  const { datasources } = provisioned('datasources/email-events.yaml');
  const [clickhouse, prometheus] = datasources;
  const asked = new Map(
    DASHBOARDS.flatMap(({ panels }) => panels).flatMap(({ datasource, targets }) =>
      [datasource, ...targets.map((target) => target.datasource)].map(({ uid, type }) => [uid, type]),
    ),
  );
  expect([...asked].sort()).toEqual([clickhouse, prometheus].map(({ uid, type }) => [uid, type]).sort());
  expect(Object.keys(compose.services)).toEqual(
    expect.arrayContaining([clickhouse.jsonData.host, new URL(prometheus.url).hostname]),
  );
  expect(clickhouse.jsonData.defaultDatabase).toBe(config().sinks.clickhouse.database);
  expect(read('README.md')).toContain(`clickhouse access ${clickhouse.jsonData.username} `);
  const { secrets = [], volumes = [], environment } = compose.services.grafana ?? {};
  const secret = /\{\/run\/secrets\/(\w+)\}/.exec(clickhouse.secureJsonData.password)?.[1];
  expect(secrets).toContain(secret);
  expect(environment?.GF_PLUGINS_PREINSTALL).toBe(clickhouse.type);
  const [provider] = provisioned('dashboards/email-events.yaml').providers;
  expect(volumes).toContain(`../grafana/dashboards:${provider.options.path}:ro`);
});
