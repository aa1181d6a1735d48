import type { Reporter } from './reporter.ts';
import type { Service } from './service.ts';

/**
 * Stops one after the other. Whatever cannot be stopped, say because the engine of its container is gone, keeps nothing
 * else from it. Never rejects.
 */
export async function stopServices(
  services: Iterable<readonly [string, Pick<Service, 'state' | 'stop'>]>,
  reporter: Pick<Reporter, 'step' | 'warn'>,
): Promise<void> {
  for (const [name, service] of services) {
    // One that was killed has still to be gone before what it uses.
    const stop = () => service.stop();
    const stopping = service.state === 'stopped' ? stop() : reporter.step(name, 'stop', stop);
    await stopping.catch((error) => reporter.warn(`${name} could not be stopped: ${error.message}`));
  }
}
