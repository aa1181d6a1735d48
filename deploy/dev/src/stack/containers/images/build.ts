import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { withLock } from '../../data-dir.ts';
import { StackError } from '../../errors.ts';
import { type ProgressListener, withProgress } from '../../progress.ts';
import { TOOLS_DIR } from '../../versions.ts';
import { type Engine, refusedWith, STATUS } from '../engine.ts';
import { type ContextFiles, openContext, type ProgramStream } from './archive.ts';

/** The use of an image. The project's services run on `node`. */
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

/** Whether the engine has an image of that name. */
export async function isPresent({ docker }: Pick<Engine, 'docker'>, reference: string): Promise<boolean> {
  try {
    await docker.getImage(reference).inspect();
    return true;
  } catch (error) {
    if (refusedWith(error, STATUS.gone)) return false;
    throw error;
  }
}

/**
 * Builds the image unless the engine has it. While another process builds it, this one waits.
 * `prepare` has what it is built on; what it returns builds it.
 */
export async function buildOnce(
  context: ImageContext,
  { name, reference }: { readonly name: string; readonly reference: string },
  prepare: (toolsDir: string) => Promise<() => Promise<void>>,
): Promise<string> {
  const { engine, signal, onProgress, toolsDir = TOOLS_DIR } = context;
  if (await isPresent(engine, reference)) return reference;
  mkdirSync(toolsDir, { recursive: true });
  const work = async () => {
    if (await isPresent(engine, reference)) return;
    const build = await prepare(toolsDir);
    const step = { component: name, step: 'install', detail: `${reference} (built here)` } as const;
    await withProgress(onProgress, step, build);
  };
  await withLock(join(toolsDir, `image-${name}.lock`), work, { signal });
  return reference;
}

const OUTPUT_TAIL = 4_000;

export interface BuildRequest {
  /** Name and tag that the image gets. */
  readonly reference: string;
  /** Files of the build. A name `Dockerfile` must be among them, unless `dockerfile` says otherwise. */
  readonly context: ContextFiles;
  /** Patterns as `tar --exclude` takes them: a name without a slash is left out wherever it is. */
  readonly exclude?: readonly string[];
  /** Name of the Dockerfile in the context. */
  readonly dockerfile?: string;
  readonly buildArgs?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  /** Stage of the Dockerfile to end with. */
  readonly target?: string;
  /** Network of the build's own commands: `host`, `none` or a network's name. */
  readonly network?: string;
  /** Build every step anew. */
  readonly noCache?: boolean;
}

interface BuildEvent {
  readonly stream?: string;
  readonly error?: string;
}

/**
 * Builds an image, by the builder that every engine has. Resolves to the image's id.
 * @throws StackError STACK_IMAGE_BUILD_FAILED, ending with what the build said; STACK_ABORTED
 */
export async function buildImage(
  context: Pick<ImageContext, 'engine' | 'signal'>,
  request: BuildRequest,
): Promise<string> {
  const { docker } = context.engine;
  const { signal } = context;
  let output = '';
  let archive: ProgramStream | undefined;
  try {
    signal?.throwIfAborted();
    archive = await openContext(request.context, request.exclude ?? []);
    const stream = await docker.buildImage(archive.stream, {
      ...engineOptions(request),
      ...(signal && { abortSignal: signal }),
    });
    await follow(docker, stream, (event) => {
      output = (output + (event.stream ?? '')).slice(-OUTPUT_TAIL);
      if (event.error) throw new Error(event.error);
    });
    return (await docker.getImage(request.reference).inspect()).Id;
  } catch (cause) {
    const { reference } = request;
    if (signal?.aborted)
      throw new StackError('STACK_ABORTED', `the build of ${reference} was called off`, { cause });
    // Without the files, the engine's error is only that they do not come. Otherwise the failed command's own words are in
    // the output, and the error only has its exit code.
    const { message } = (await archive?.close()) ?? (cause as Error);
    const said = stripVTControlCharacters(`${output}${message}`).trim();
    throw new StackError('STACK_IMAGE_BUILD_FAILED', `the image ${reference} cannot be built:\n${said}`, {
      cause,
    });
  } finally {
    await archive?.close();
  }
}

function engineOptions(request: BuildRequest) {
  const { reference, dockerfile, buildArgs, labels, target, network, noCache } = request;
  return {
    t: reference,
    // Nothing of a build stays behind, also when it fails.
    rm: true,
    forcerm: true,
    ...(dockerfile && { dockerfile }),
    ...(buildArgs && { buildargs: { ...buildArgs } }),
    ...(labels && { labels: { ...labels } }),
    ...(target && { target }),
    ...(network && { networkmode: network }),
    ...(noCache && { nocache: true }),
  };
}

/** Reads a build's or a pull's progress to its end. Rejects with what `onEvent` throws. */
export function follow(
  docker: ImageContext['engine']['docker'],
  stream: NodeJS.ReadableStream,
  onEvent: (event: BuildEvent) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    docker.modem.followProgress(
      stream,
      (error) => (error ? reject(error) : resolve()),
      (event: BuildEvent) => {
        try {
          onEvent(event);
        } catch (error) {
          reject(error);
        }
      },
    );
  });
}
