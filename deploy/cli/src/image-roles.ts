import { defaultAt } from '@email-events/core/config';
import type { ServiceDescriptor } from '@email-events/core/service';
import { pipelineConfig, services } from './services.ts';

/**
 * What the entry point and the health check of the image know of each service, which must start too fast to import the
 * descriptors: a line each of name, entry file, key of the admin port, its default, and what Node is told.
 */
export function imageRoles(): string {
  const lines = services.map(({ name, entry, section, nodeArgs = [] }: ServiceDescriptor) => {
    const port = `${section}.adminPort`;
    return [name, entry, port, defaultAt(pipelineConfig.schema.json, port), ...nodeArgs].join(' ');
  });
  return `${lines.join('\n')}\n`;
}
