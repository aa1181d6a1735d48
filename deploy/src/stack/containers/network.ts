import type { Engine } from './engine.ts';
import type { Labels } from './labels.ts';

/** A network of the stack's own: its containers find each other by name, and nobody else's are in it. */
export async function createNetwork({ docker }: Engine, stackId: string, labels: Labels): Promise<string> {
  const name = `email-events-${stackId}`;
  await docker.createNetwork({ Name: name, Driver: 'bridge', Labels: { ...labels } });
  return name;
}
