import { StackError } from './errors.ts';
import { clickhouseAnswers, registryAnswers, tcpAnswers } from './probes.ts';
import { withProgress } from './progress.ts';
import type { ComponentName, Stack, StackAddresses, StackProvider } from './stack.ts';

type Environment = Readonly<Record<string, string | undefined>>;

const VARIABLES = {
  brokers: 'EMAIL_EVENTS_KAFKA_BROKERS',
  registry: 'EMAIL_EVENTS_REGISTRY',
  clickhouse: 'EMAIL_EVENTS_CLICKHOUSE',
} as const;

/** Components that someone else runs, found by variables; those of Kafka and the registry configure the services too. */
export function externalProvider(env: Environment): StackProvider {
  return {
    async start({ onProgress = () => {} }) {
      const addresses = readAddresses(env);
      const check = (component: ComponentName, detail: string, answers: () => Promise<boolean>) =>
        withProgress(onProgress, { component, step: 'start', detail }, async () => {
          if (await answers()) return;
          throw new StackError('STACK_UNREACHABLE', `${component} does not answer at ${detail}`);
        });
      await Promise.all([
        check('kafka', addresses.kafka.brokers.join(','), () => anyAnswers(addresses.kafka.brokers)),
        check('registry', describe(addresses.registry), () => registryAnswers(addresses.registry)),
        check('clickhouse', describe(addresses.clickhouse), () => clickhouseAnswers(addresses.clickhouse)),
      ]);
      return stackOf(addresses);
    },
    async startKafka() {
      throw new StackError('STACK_COMPONENT_STATE', 'kafka is external: it cannot be started from here');
    },
  };
}

/** With the user: from here a refusal looks like an address where nothing answers. */
const describe = ({ url, username }: StackAddresses['registry']) =>
  username === undefined ? url : `${url} as ${username}`;

/** @throws StackError STACK_ADDRESS_MISSING, naming every variable that is missing */
export function readAddresses(env: Environment): StackAddresses {
  const brokers = (env[VARIABLES.brokers] ?? '')
    .split(',')
    .map((broker) => broker.trim())
    .filter(Boolean);
  const registry = readTarget(env, VARIABLES.registry);
  const clickhouse = readTarget(env, VARIABLES.clickhouse);
  const missing = [
    brokers.length === 0 && VARIABLES.brokers,
    registry.url === '' && `${VARIABLES.registry}_URL`,
    clickhouse.url === '' && `${VARIABLES.clickhouse}_URL`,
  ].filter((name) => name !== false);
  if (missing.length > 0)
    throw new StackError('STACK_ADDRESS_MISSING', `STACK=external needs ${missing.join(', ')}`);
  return { kafka: { brokers }, registry, clickhouse };
}

function readTarget(env: Environment, prefix: string) {
  const username = env[`${prefix}_USERNAME`];
  const password = env[`${prefix}_PASSWORD`];
  return {
    url: env[`${prefix}_URL`] ?? '',
    ...(username ? { username } : {}),
    ...(password ? { password } : {}),
  };
}

/** Only that a broker accepts connections: what it speaks (TLS, SASL) is the services' configuration. */
async function anyAnswers(brokers: readonly string[]): Promise<boolean> {
  const answers = await Promise.all(
    brokers.map((broker) => {
      const colon = broker.lastIndexOf(':');
      return tcpAnswers(broker.slice(0, colon), Number(broker.slice(colon + 1)));
    }),
  );
  return answers.includes(true);
}

function stackOf(addresses: StackAddresses): Stack {
  return {
    ...addresses,
    components: [],
    component(name) {
      throw new StackError('STACK_COMPONENT_STATE', `${name} is external: it cannot be controlled from here`);
    },
    async stop() {},
  };
}
