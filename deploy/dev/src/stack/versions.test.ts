import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { mavenProperties } from './local/install.ts';
import { parseVersions, readVersions, STACK_FILES } from './versions.ts';

test('the versions file has every version', () => {
  expect(readVersions().KAFKA_VERSION).toMatch(/^\d+\.\d+\.\d+$/);
});

test('the pom takes every version it names from the versions file and states none itself', () => {
  const pom = readFileSync(`${STACK_FILES}pom.xml`, 'utf8');
  const named = [...pom.matchAll(/\$\{([\w.]+)\}/g)].map((match) => match[1]);
  const given = mavenProperties(readVersions()).map((property) => property.slice(2).split('=')[0]);
  expect(named).toContain('kafka.version');
  expect(given).toEqual(expect.arrayContaining(named));
  const versions = [...pom.matchAll(/<version>(.*)<\/version>/g)].map((match) => match[1]);
  expect(versions.filter((version) => !version?.startsWith('${'))).toEqual(['1']);
});

test('an image has the version that the local stack runs', () => {
  const versions = readVersions();
  const manifest = JSON.parse(readFileSync(new URL('../../../../package.json', import.meta.url), 'utf8'));
  expect(versions.KAFKA_IMAGE.split(':')[1]).toBe(versions.KAFKA_VERSION);
  expect(versions.REGISTRY_IMAGE.split(':')[1]).toBe(versions.APICURIO_VERSION);
  expect(versions.NODE_IMAGE.split(':')[1]?.split('-')[0]).toBe(manifest.devDependencies.node);
});

test('names everything that is wrong', () => {
  expect(() => parseVersions('# fine\nKAFKA_VERSION=4.4.0\nnonsense\n')).toThrow(
    expect.objectContaining({
      code: 'STACK_VERSIONS_INVALID',
      message: expect.stringMatching(/line 3.*APICURIO_VERSION is missing/),
    }),
  );
});
