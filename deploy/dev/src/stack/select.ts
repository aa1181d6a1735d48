import { wantedBrokers } from './brokers.ts';
import { StackError } from './errors.ts';
import { externalProvider } from './external.ts';
import { localProvider } from './local/provider.ts';
import type { StackOptions, StackProvider } from './stack.ts';

export const PROVIDERS = ['local', 'containers', 'external'] as const;
export type ProviderName = (typeof PROVIDERS)[number];

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The provider that the variable STACK names; `local` without it.
 * @throws StackError STACK_PROVIDER_UNKNOWN
 */
export function selectProvider(env: Environment): ProviderName {
  const wanted = env.STACK || 'local';
  const name = PROVIDERS.find((provider) => provider === wanted);
  if (name) return name;
  throw new StackError('STACK_PROVIDER_UNKNOWN', `STACK=${wanted}: must be ${PROVIDERS.join(', ')}`);
}

/** The same for work that stops and breaks components: those of an external stack are not ours, so local ones then. */
export function selectBreakable(env: Environment): Exclude<ProviderName, 'external'> {
  const name = selectProvider(env);
  return name === 'external' ? 'local' : name;
}

/** Its stacks have as many brokers as KAFKA_BROKERS says, unless the start says it. */
export function createProvider(name: ProviderName, env: Environment): StackProvider {
  if (name === 'external') return externalProvider(env);
  const provider = async () => (name === 'local' ? localProvider() : loadContainers(env));
  const withBrokers = (options: StackOptions) => ({
    ...options,
    brokers: options.brokers ?? wantedBrokers(env),
  });
  return {
    start: async (options) => (await provider()).start(withBrokers(options)),
    startKafka: async (options) => (await provider()).startKafka(withBrokers(options)),
  };
}

/** Loaded on demand: testcontainers is a large package, and production does not have it. */
async function loadContainers(env: Environment): Promise<StackProvider> {
  return (await import('./containers/provider.ts')).containersProvider(env);
}
