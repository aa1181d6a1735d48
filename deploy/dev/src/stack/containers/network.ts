import type { Engine } from './engine.ts';
import type { Labels } from './labels.ts';

export const networkName = (stackId: string) => `email-events-${stackId}`;

/** A network of the stack's own: its containers find each other by name, and nobody else's are in it. */
export async function createNetwork({ docker }: Engine, stackId: string, labels: Labels): Promise<void> {
  await docker.createNetwork({ Name: networkName(stackId), Driver: 'bridge', Labels: { ...labels } });
}
