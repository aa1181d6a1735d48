import { expect, test } from 'vitest';
import type { OwnImage } from './inventory.ts';
import { oldImages } from './program.ts';

function image(reference: string, day: number, current = true): OwnImage {
  const purpose = reference.split(':')[0] ?? '';
  return { reference, purpose, bytes: 1, created: new Date(2030, 0, day), current };
}

test('what this checkout would build now stays, whatever is newer', () => {
  const images = [image('kafka:1-aa', 1), image('kafka:2-bb', 2, false), image('java:1-cc', 1)];
  expect(oldImages(images).map(({ reference }) => reference)).toEqual(['kafka:2-bb']);
});

test('of images that follow the sources the newest stays', () => {
  const images = [image('services:a', 1), image('services:c', 3), image('services:b', 2)];
  expect(oldImages(images).map(({ reference }) => reference)).toEqual(['services:a', 'services:b']);
});
