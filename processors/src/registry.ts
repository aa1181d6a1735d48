import type { PipelineConfig } from '@email-events/core';
import type { RegistrySettings } from '@email-events/schemas';

export function registryOf({ registry }: PipelineConfig): RegistrySettings {
  return { url: registry.url, username: registry.username, password: registry.password?.reveal() };
}
