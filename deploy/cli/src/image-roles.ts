import { composeConfig, defaultAt } from '@email-events/core/config';
import { type Services, services } from './services.ts';

/**
 * The entry point and the health check of the image know the services from this text, since they must start too fast to import the
 * descriptors. Each line has a service's name, entry file, key of the admin port, default of that port, and arguments for Node.
 */
export function imageRoles(all: Services = services): string {
  const { json } = composeConfig(all).schema;
  const lines = all.map(({ name, entry, section, nodeArgs = [] }) => {
    const port = `${section}.adminPort`;
    return [name, entry, port, defaultAt(json, port), ...nodeArgs].join(' ');
  });
  return `${lines.join('\n')}\n`;
}
