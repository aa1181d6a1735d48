import type { ProgressListener } from '../../progress.ts';
import type { Engine } from '../engine.ts';

/** What an image is for. `node` is what our own services run on. */
export type ImageRole = 'kafka' | 'registry' | 'clickhouse' | 'node';

export interface ImageContext {
  readonly engine: Engine;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly onProgress: ProgressListener;
  /** Calls off a pull or a build: STACK_ABORTED. */
  readonly signal?: AbortSignal | undefined;
  /** Where programs that go into images are kept, and locks; `.email-events/tools` by default. */
  readonly toolsDir?: string | undefined;
}

export interface ChosenImage {
  /** Name that the engine knows it by; it is on the engine now. */
  readonly reference: string;
  /** Built here in place of the public one. */
  readonly standIn: boolean;
}
