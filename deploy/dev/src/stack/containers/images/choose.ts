import { StackError } from '../../errors.ts';
import { withProgress } from '../../progress.ts';
import { readVersions } from '../../versions.ts';
import { type ChosenImage, follow, type ImageContext, type ImageRole, isPresent } from './build.ts';
import { provideStandIn, publicImage, referenceOf, STAND_IN_OF } from './stand-ins.ts';

/** Values of EMAIL_EVENTS_IMAGES; without it, the public image or else its stand-in is used. */
const CHOICES = ['public', 'stand-in'] as const;

export interface ChooseOptions {
  /** After how many milliseconds without a sign of life a pull is given up. */
  readonly silenceMs?: number;
  /** In tests: what builds a stand-in. */
  readonly build?: typeof provideStandIn;
}

/**
 * An image for the role that the engine has: the one that EMAIL_EVENTS_IMAGE_<ROLE> names; else the public one or its
 * stand-in if either is there already; else the public one, pulled; else its stand-in, built.
 * @throws StackError STACK_IMAGE_MISSING, STACK_IMAGE_BUILD_FAILED, STACK_TOOL_MISSING, STACK_INSTALL_FAILED,
 *   STACK_ABORTED
 */
export async function provideImage(
  role: ImageRole,
  context: ImageContext,
  options: ChooseOptions = {},
): Promise<ChosenImage> {
  const variable = `EMAIL_EVENTS_IMAGE_${role.toUpperCase()}`;
  const named = context.env[variable];
  if (named) return provideNamed(role, named, variable, context, options);
  const forced = choice(context.env.EMAIL_EVENTS_IMAGES);
  if (forced === 'stand-in') return buildStandIn(role, context, options);

  const versions = readVersions();
  const reference = publicImage(role, versions);
  const { engine } = context;
  if (await isPresent(engine, reference)) return { reference, standIn: false };
  const standIn = referenceOf(STAND_IN_OF[role], versions);
  if (!forced && (await isPresent(engine, standIn))) return { reference: standIn, standIn: true };

  const problem = await pull(context, role, reference, options.silenceMs);
  if (problem === undefined) return { reference, standIn: false };
  if (forced) {
    const remedy = 'without EMAIL_EVENTS_IMAGES=public a stand-in is built here';
    throw missing(reference, problem, `${remedy}; ${variable} names another image, such as a mirror's`);
  }
  context.onProgress({
    component: role,
    step: 'install',
    state: 'begin',
    detail: `a stand-in: ${reference} cannot be pulled (${problem})`,
  });
  return buildStandIn(role, context, options);
}

async function provideNamed(
  role: ImageRole,
  reference: string,
  variable: string,
  context: ImageContext,
  { silenceMs }: ChooseOptions,
): Promise<ChosenImage> {
  if (!(await isPresent(context.engine, reference))) {
    const problem = await pull(context, role, reference, silenceMs);
    if (problem !== undefined)
      throw missing(reference, problem, `correct ${variable}, or load the image into the engine`);
  }
  return { reference, standIn: false };
}

async function buildStandIn(
  role: ImageRole,
  context: ImageContext,
  { build = provideStandIn }: ChooseOptions,
): Promise<ChosenImage> {
  return { reference: await build(context, STAND_IN_OF[role]), standIn: true };
}

function choice(value: string | undefined): (typeof CHOICES)[number] | undefined {
  if (!value) return undefined;
  const found = CHOICES.find((one) => one === value);
  if (found) return found;
  throw new StackError(
    'STACK_IMAGE_MISSING',
    `EMAIL_EVENTS_IMAGES=${value}: must be ${CHOICES.join(' or ')}`,
  );
}

function missing(reference: string, problem: string, remedy: string): StackError {
  return new StackError(
    'STACK_IMAGE_MISSING',
    `the image ${reference} is not on this machine and cannot be pulled (${problem}): ${remedy}`,
  );
}

/** Long enough for a slow registry's answer, and for a layer's next bytes; a network that drops everything ends here. */
const SILENCE_MS = 30_000;

/** Prefix that the client puts before the engine's message. */
const HTTP_PREFIX = /^\(HTTP code \d+\) [^-]*- /;

/**
 * Pulls an image. Resolves to nothing if it is there then, else to why it cannot be pulled, in one line.
 * @throws StackError STACK_ABORTED
 */
export async function pull(
  context: ImageContext,
  role: ImageRole,
  reference: string,
  silenceMs = SILENCE_MS,
): Promise<string | undefined> {
  const step = { component: role, step: 'install', detail: `the image ${reference}` } as const;
  try {
    await withProgress(context.onProgress, step, () => pullNoisily(context, reference, silenceMs));
    return undefined;
  } catch (error) {
    if (context.signal?.aborted)
      throw new StackError('STACK_ABORTED', `the pull of ${reference} was called off`, { cause: error });
    return (error as Error).message.replace(HTTP_PREFIX, '').trim().replaceAll(/\s+/g, ' ');
  }
}

/** As long as the engine says something it may take as long as it takes. */
async function pullNoisily(context: ImageContext, reference: string, silenceMs: number): Promise<void> {
  const { docker } = context.engine;
  const silence = new AbortController();
  const timer = setTimeout(() => silence.abort(), silenceMs);
  const { signal } = context;
  const abortSignal = signal ? AbortSignal.any([signal, silence.signal]) : silence.signal;
  try {
    // A name alone would mean every tag there is.
    const exact = /[:@][^/]*$/.test(reference) ? reference : `${reference}:latest`;
    const stream: NodeJS.ReadableStream = await docker.pull(exact, { abortSignal });
    await follow(docker, stream, (event) => {
      timer.refresh();
      if (event.error) throw new Error(event.error);
    });
  } catch (error) {
    if (silence.signal.aborted) throw new Error(`nothing came for ${silenceMs / 1000} s`, { cause: error });
    throw error;
  } finally {
    clearTimeout(timer);
  }
}
