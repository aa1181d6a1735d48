import { connectEngine } from '@email-events/dev/stack';

/** Runs once before the tests of the project `containers`. Fails if there is no engine: a developer who names the project wants it. */
export async function setup(): Promise<void> {
  await connectEngine();
}
