import type { RegistrySettings } from '@email-events/schemas';
import type { CommonConfig } from './config/index.ts';

/** How the schema registry of this configuration is asked. */
export function registryOf({ registry }: Pick<CommonConfig, 'registry'>): RegistrySettings {
  return { url: registry.url, username: registry.username, password: registry.password?.reveal() };
}
