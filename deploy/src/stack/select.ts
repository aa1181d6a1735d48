import { StackError } from './errors.ts';
import { externalProvider } from './external.ts';
import { localProvider } from './local/provider.ts';
import type { StackProvider } from './stack.ts';

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

export function createProvider(name: ProviderName, env: Environment): StackProvider {
  switch (name) {
    case 'local':
      return localProvider();
    case 'containers':
      return {
        // Loaded only for whoever wants it: testcontainers is a large package, and production has it not.
        start: async (options) =>
          (await import('./containers/provider.ts')).containersProvider(env).start(options),
      };
    case 'external':
      return externalProvider(env);
  }
}
