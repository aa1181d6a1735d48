import { expect, test } from 'vitest';
import type { ProgressEvent } from '../../progress.ts';
import { formatProgress } from '../../progress.ts';
import { type FakeEngine, fakeEngine, type PullOutcome } from '../../testing/fake-engine.ts';
import { readVersions } from '../../versions.ts';
import { type ChooseOptions, provideImage } from './choose.ts';
import { referenceOf, STAND_IN_OF } from './stand-ins.ts';

const versions = readVersions();
const PUBLIC = versions.KAFKA_IMAGE;
const STAND_IN = referenceOf(STAND_IN_OF.kafka, versions);
const MIRRORED = 'mirror.example.com/kafka:4';

/** Chooses Kafka's image; a stand-in counts as built as soon as it is asked for. */
function choosing(
  engine: FakeEngine,
  env: Record<string, string> = {},
  { signal, silenceMs = 10_000 }: { readonly signal?: AbortSignal; readonly silenceMs?: number } = {},
) {
  const events: ProgressEvent[] = [];
  const built: string[] = [];
  const options: ChooseOptions = {
    silenceMs,
    build: async (_, standIn) => {
      const reference = referenceOf(standIn, versions);
      built.push(reference);
      return reference;
    },
  };
  const context = { engine, env, onProgress: (event: ProgressEvent) => events.push(event), signal };
  return { chosen: provideImage('kafka', context, options), built, events };
}

test.each([
  ['the public image, when it is there', [PUBLIC, STAND_IN], PUBLIC],
  ['its stand-in, when only that is there', [STAND_IN], STAND_IN],
])('%s, and nothing is pulled', async (_, images, reference) => {
  const engine = await fakeEngine(images, 'refused');
  const { chosen, built } = choosing(engine);
  expect(await chosen).toEqual({ reference, standIn: reference === STAND_IN });
  expect(engine.pulls).toEqual([]);
  expect(built).toEqual([]);
});

test('the public image is pulled when there is neither', async () => {
  const engine = await fakeEngine();
  const { chosen, built } = choosing(engine);
  expect(await chosen).toEqual({ reference: PUBLIC, standIn: false });
  expect(engine.pulls).toEqual([PUBLIC]);
  expect(built).toEqual([]);
});

test.each<[PullOutcome, string, number?]>([
  ['refused', 'no such host'],
  ['fails', 'no such host'],
  ['hangs', 'nothing came for 0.1 s', 100],
  ['stalls', 'nothing came for 0.1 s', 100],
])('a pull that %s ends in a stand-in, and why is said', async (outcome, reason, silenceMs) => {
  const { chosen, built, events } = choosing(
    await fakeEngine([], outcome),
    {},
    silenceMs ? { silenceMs } : {},
  );
  expect(await chosen).toEqual({ reference: STAND_IN, standIn: true });
  expect(built).toEqual([STAND_IN]);
  const lines = events.map(formatProgress);
  expect(lines.at(-1)).toMatch(new RegExp(`stand-in: ${PUBLIC} cannot be pulled \\(.*${reason}\\)$`));
});

test('an image that the environment names is taken as it is', async () => {
  const engine = await fakeEngine([MIRRORED, PUBLIC, STAND_IN]);
  const { chosen } = choosing(engine, { EMAIL_EVENTS_IMAGE_KAFKA: MIRRORED });
  expect(await chosen).toEqual({ reference: MIRRORED, standIn: false });
  expect(engine.pulls).toEqual([]);
});

test('it is pulled when it is not there', async () => {
  const engine = await fakeEngine([PUBLIC, STAND_IN]);
  const { chosen } = choosing(engine, { EMAIL_EVENTS_IMAGE_KAFKA: MIRRORED });
  expect(await chosen).toEqual({ reference: MIRRORED, standIn: false });
  expect(engine.pulls).toEqual([MIRRORED]);
});

test.each([
  ['mirror.example.com:5000/kafka', 'mirror.example.com:5000/kafka:latest'],
  ['kafka@sha256:0123', 'kafka:sha256:0123'],
])('one version of %s is pulled, not all', async (named, pulled) => {
  const engine = await fakeEngine();
  await choosing(engine, { EMAIL_EVENTS_IMAGE_KAFKA: named }).chosen;
  expect(engine.pulls).toEqual([pulled]);
});

test('it has no stand-in: when it cannot be had, the variable is named', async () => {
  const { chosen, built } = choosing(await fakeEngine([PUBLIC, STAND_IN], 'refused'), {
    EMAIL_EVENTS_IMAGE_KAFKA: MIRRORED,
  });
  await expect(chosen).rejects.toMatchObject({
    code: 'STACK_IMAGE_MISSING',
    message: expect.stringMatching(`${MIRRORED}.*no such host.*EMAIL_EVENTS_IMAGE_KAFKA`),
  });
  expect(built).toEqual([]);
});

test('public ones only: a stand-in that is there does not count', async () => {
  const { chosen, built } = choosing(await fakeEngine([STAND_IN], 'refused'), {
    EMAIL_EVENTS_IMAGES: 'public',
  });
  await expect(chosen).rejects.toMatchObject({
    code: 'STACK_IMAGE_MISSING',
    message: expect.stringMatching(`${PUBLIC}.*no such host.*without EMAIL_EVENTS_IMAGES=public`),
  });
  expect(built).toEqual([]);
});

test('stand-ins only: a public image that is there does not count, and none is pulled', async () => {
  const engine = await fakeEngine([PUBLIC]);
  const { chosen } = choosing(engine, { EMAIL_EVENTS_IMAGES: 'stand-in' });
  expect(await chosen).toEqual({ reference: STAND_IN, standIn: true });
  expect(engine.pulls).toEqual([]);
});

test('a choice that is none is refused with those there are', async () => {
  const { chosen } = choosing(await fakeEngine(), { EMAIL_EVENTS_IMAGES: 'local' });
  await expect(chosen).rejects.toThrow('EMAIL_EVENTS_IMAGES=local: must be public or stand-in');
});

test('a pull is called off', async () => {
  const engine = await fakeEngine([], 'hangs');
  const caller = new AbortController();
  const { chosen, built } = choosing(engine, {}, { signal: caller.signal });
  caller.abort();
  await expect(chosen).rejects.toMatchObject({ code: 'STACK_ABORTED' });
  expect(built).toEqual([]);
});
