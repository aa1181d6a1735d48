import { at } from '@email-events/core/config';
import { type PipelineConfig, type Services, services, servicesOf } from '../services.ts';
import type { Address } from './deployment.ts';

/** Where the services of this configuration are asked: `adminHost`, and the port of each. A port of 0 is any, so it cannot be known. */
export function adminAddresses(
  config: Pick<PipelineConfig, 'adminHost'>,
  all: Services = services,
): readonly Address[] {
  const host = reachable(config.adminHost);
  return servicesOf(config, all).map(({ name, section }) => {
    const port = at(config, `${section}.adminPort`);
    return { name, adminUrl: port ? `http://${host}:${port}` : null };
  });
}

/** What is bound to every address is asked on loopback. */
function reachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  const bare = host === '::' ? '::1' : host;
  return bare.includes(':') ? `[${bare}]` : bare;
}
