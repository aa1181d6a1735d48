import { mkdtemp, rm, stat } from 'node:fs/promises';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathsOf } from '@email-events/cli/home';
import { pipelineConfig } from '@email-events/cli/services';
import { expect, onTestFinished, type TestContext, test } from 'vitest';
import { useStack, vacantStack } from '../../../../test/harness/stack.ts';
import { crmSecret, localConfig, lookupToken, writeLocalConfig } from '../run/local-config.ts';
import { chooseLocalPorts } from '../run/ports.ts';
import { prepareComponents } from '../run/prepare.ts';
import { createReporter } from '../run/reporter.ts';
import { generateCredentials } from '../simulate/credentials.ts';
import { createProvider, type StackAddresses } from './index.ts';
import { clickhouseAnswers, kafkaAnswers, registryAnswers } from './probes.ts';

// The stack that is someone else's is the one that all tests of the run share: whichever it is, it is real.

type Environment = { readonly [name: string]: string };

const environmentOf = ({ kafka, registry, clickhouse }: StackAddresses): Environment => ({
  EMAIL_EVENTS_KAFKA_BROKERS: kafka.brokers.join(','),
  ...target('REGISTRY', registry),
  ...target('CLICKHOUSE', clickhouse),
});

function target(name: string, { url, username, password }: StackAddresses['registry']): Environment {
  return {
    [`EMAIL_EVENTS_${name}_URL`]: url,
    ...(username === undefined ? {} : { [`EMAIL_EVENTS_${name}_USERNAME`]: username }),
    ...(password === undefined ? {} : { [`EMAIL_EVENTS_${name}_PASSWORD`]: password }),
  };
}

const start = (env: Environment) => createProvider('external', env).start({ dataDir: 'unused' });

function answers({ kafka, registry, clickhouse }: StackAddresses): Promise<boolean[]> {
  const { hostname, port } = new URL(`kafka://${kafka.brokers[0]}`);
  return Promise.all([
    kafkaAnswers(hostname, Number(port)),
    registryAnswers(registry),
    clickhouseAnswers(clickhouse),
  ]);
}

test('a stack that runs is found by its addresses, cannot be controlled, and goes on when it is let go', async () => {
  const { kafka, registry, clickhouse } = useStack();
  const stack = await start(environmentOf({ kafka, registry, clickhouse }));
  expect(stack).toMatchObject({ kafka, registry, clickhouse, components: [] });
  expect(() => stack.component('kafka')).toThrow(expect.objectContaining({ code: 'STACK_COMPONENT_STATE' }));
  await stack.stop();
  await stack.stop();
  expect(await answers(stack)).toEqual([true, true, true]);
});

test.for([
  ['kafka', 'EMAIL_EVENTS_KAFKA_BROKERS', '127.0.0.1:1'],
  ['registry', 'EMAIL_EVENTS_REGISTRY_URL', 'http://127.0.0.1:1'],
  ['clickhouse', 'EMAIL_EVENTS_CLICKHOUSE_URL', 'http://127.0.0.1:1'],
] as const)('%s at a wrong address is refused, and named with it', async ([component, variable, wrong]) => {
  const refused = start({ ...environmentOf(useStack()), [variable]: wrong });
  await expect(refused).rejects.toMatchObject({
    code: 'STACK_UNREACHABLE',
    message: expect.stringMatching(new RegExp(`^${component} .*${wrong}`)),
  });
});

test('what answers at an address but is something else is refused', async () => {
  const env = environmentOf(useStack());
  const swapped = {
    EMAIL_EVENTS_REGISTRY_URL: env.EMAIL_EVENTS_CLICKHOUSE_URL ?? '',
    EMAIL_EVENTS_CLICKHOUSE_URL: env.EMAIL_EVENTS_REGISTRY_URL ?? '',
  };
  await expect(start({ ...env, ...swapped })).rejects.toMatchObject({ code: 'STACK_UNREACHABLE' });
});

test('credentials of registry and ClickHouse go all the way into the configuration of the services', async (context) => {
  const shared = await vacantStack(context);
  const [registry, clickhouse] = await Promise.all([
    guarded(shared.registry, 'registrar', 'one: first'),
    guarded(shared.clickhouse, 'writer', 'two: second'),
  ]);
  const stack = await start(environmentOf({ kafka: shared.kafka, registry, clickhouse }));
  const config = await configure(context, stack, shared.uniqueDatabase('credentials'));
  expect([config.registry.username, config.registry.password?.reveal()]).toEqual(['registrar', 'one: first']);
  const sink = config.sinks.clickhouse;
  expect([sink.username, sink.password?.reveal()]).toEqual(['writer', 'two: second']);
  // Schemas and tables are made with them.
  await prepareComponents(
    config,
    createReporter(() => {}),
  );
  await expect(
    start(environmentOf({ ...stack, registry: { ...registry, password: 'wrong' } })),
  ).rejects.toMatchObject({
    code: 'STACK_UNREACHABLE',
    message: expect.stringContaining('as registrar'),
  });
});

/** As a start of the pipeline writes it and its services read it. */
async function configure(
  { onTestFinished: after }: TestContext,
  addresses: StackAddresses,
  database: string,
) {
  const home = await mkdtemp(join(tmpdir(), 'email-events-external-'));
  after(() => rm(home, { recursive: true, force: true }));
  const paths = pathsOf(home);
  const tree = localConfig({
    base: { sinks: { clickhouse: { database } } },
    paths,
    addresses,
    ports: await chooseLocalPorts({ any: true }),
    sources: (await generateCredentials(join(paths.secrets, 'sources'))).sources,
    crmSecretFile: crmSecret(paths.secrets).file,
    lookupTokenFile: lookupToken(paths.secrets),
  });
  writeLocalConfig(paths.configFile, tree);
  expect((await stat(paths.configFile)).mode & 0o077).toBe(0);
  return pipelineConfig.load(paths.configFile, {});
}

/** A proxy before a component that asks for these credentials, as a company's proxy would. */
async function guarded(
  { url, username, password = '' }: StackAddresses['registry'],
  gateUsername: string,
  gatePassword: string,
): Promise<StackAddresses['registry']> {
  const basic = (user: string, secret: string) =>
    `Basic ${Buffer.from(`${user}:${secret}`).toString('base64')}`;
  const wanted = basic(gateUsername, gatePassword);
  const behind = username === undefined ? {} : { authorization: basic(username, password) };
  const server = createServer((incoming: IncomingMessage, answer: ServerResponse) => {
    const { authorization, ...headers } = incoming.headers;
    if (authorization !== wanted) {
      answer.writeHead(401).end('{}');
      return;
    }
    const target = new URL(incoming.url ?? '/', url);
    const forwarded = request(
      target,
      { method: incoming.method, headers: { ...headers, ...behind } },
      (response) => {
        answer.writeHead(response.statusCode ?? 502, response.headers);
        response.pipe(answer);
      },
    );
    forwarded.once('error', () => answer.destroy());
    incoming.pipe(forwarded);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const at = new URL(url);
  at.port = String(port);
  at.hostname = '127.0.0.1';
  return { url: at.href.replace(/\/$/, ''), username: gateUsername, password: gatePassword };
}
