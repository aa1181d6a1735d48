import type { CommonConfig } from '@email-events/core';
import type { RegistrySettings } from '@email-events/schemas';

export function registryOf({ registry }: CommonConfig): RegistrySettings {
  return { url: registry.url, username: registry.username, password: registry.password?.reveal() };
}
