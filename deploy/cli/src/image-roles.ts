import { composeConfig, defaultAt } from '@email-events/core/config';
import { type Services, services } from './services.ts';

/**
 * What the entry point and the health check of the image know of each service, which must start too fast to import the
 * descriptors: a line each of name, entry file, key of the admin port, its default, and what Node is told.
 */
export function imageRoles(all: Services = services): string {
  const { json } = composeConfig(all).schema;
  const lines = all.map(({ name, entry, section, nodeArgs = [] }) => {
    const port = `${section}.adminPort`;
    return [name, entry, port, defaultAt(json, port), ...nodeArgs].join(' ');
  });
  return `${lines.join('\n')}\n`;
}
