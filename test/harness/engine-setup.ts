import { provideImages } from '@email-events/dev/containers/program';
import { connectEngine } from '@email-events/dev/stack';

/**
 * Runs once before the tests of the project `containers`. Fails if there is no engine: a developer who names the project wants it.
 * Images that lack are built here, since tests have deadlines.
 */
export async function setup(): Promise<void> {
  await provideImages(await connectEngine(), new AbortController().signal);
}
