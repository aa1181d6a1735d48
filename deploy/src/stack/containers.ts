import { StackError } from './errors.ts';
import type { StackProvider } from './stack.ts';

/** Holds the place of the container provider, so that whoever asks for it is told. */
export const containersProvider: StackProvider = {
  async start() {
    throw new StackError(
      'STACK_ENGINE_UNAVAILABLE',
      'STACK=containers is not available yet: use STACK=local, or start containers yourself and use STACK=external',
    );
  },
};
