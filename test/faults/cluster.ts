import type { Brokers } from './brokers.ts';
import type { World } from './world.ts';

export async function clusterOf(
  _world: World,
  _delays?: ReadonlyMap<number, number>,
): Promise<Brokers & { close(): Promise<void> }> {
  throw new Error('not yet');
}
