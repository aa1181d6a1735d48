import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { REPOSITORY } from '@email-events/cli/home';
import { services } from '@email-events/cli/services';
import { type ConfigTree, writeLocalConfig } from '@email-events/dev/run/local-config';
import { expect, onTestFinished, test, vi } from 'vitest';
import { previousRelease, Release } from './release.ts';

// This checkout is a release like any other: what is asked of another one is asked of it here. Each question is a process or two.
vi.setConfig({ testTimeout: 180_000 });

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'email-events-release-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

const SERVICE_LIST: readonly {
  readonly name: string;
  readonly entry: string;
  readonly nodeArgs?: readonly string[];
}[] = services;

/** A checkout with the packages of this one, linked. */
function checkout(): string {
  const folder = temporaryFolder();
  for (const file of ['package.json', 'package-lock.json'])
    cpSync(join(REPOSITORY, file), join(folder, file));
  mkdirSync(join(folder, 'node_modules'));
  for (const name of ['.bin', '.package-lock.json'])
    symlinkSync(join(REPOSITORY, 'node_modules', name), join(folder, 'node_modules', name));
  return folder;
}

const change = (file: string, by: (text: string) => string) => {
  const text = readFileSync(file, 'utf8');
  rmSync(file);
  writeFileSync(file, by(text));
};

test('a release says by which process it runs each service', async () => {
  const release = new Release(REPOSITORY);
  const file = join(temporaryFolder(), 'pipeline.yaml');
  writeFileSync(file, '{}');
  const found = await Promise.all(SERVICE_LIST.map(({ name }) => release.processOf(name, file)));
  expect(found.map(({ script }) => script)).toEqual(SERVICE_LIST.map(({ entry }) => join(REPOSITORY, entry)));
  expect(found.every(({ args }) => args.join(' ') === `--config ${file}`)).toBe(true);
  expect(found.map(({ nodeArgs }) => nodeArgs)).toEqual(
    SERVICE_LIST.map(({ nodeArgs = [] }) => expect.arrayContaining([...nodeArgs])),
  );
});

test('a service that a release does not have is told', async () => {
  const asked = new Release(REPOSITORY).processOf('sink-of-tomorrow', 'pipeline.yaml');
  await expect(asked).rejects.toThrow(/cannot run sink-of-tomorrow: .*sink-crm/s);
});

test('a release gets a configuration without the keys that it does not know', async () => {
  const release = new Release(REPOSITORY);
  const file = join(temporaryFolder(), 'pipeline.yaml');
  const write = (tree: ConfigTree) => {
    writeLocalConfig(file, tree);
    return file;
  };
  const known = { kafka: { brokers: ['127.0.0.1:9092'] } };
  const fitted = await release.fit({ ...known, ingress: { ofTomorrow: 1 }, tomorrow: { a: 1 } }, write);
  expect(fitted.leftOut.toSorted()).toEqual(['ingress.ofTomorrow', 'tomorrow']);
  expect(readFileSync(fitted.file, 'utf8')).not.toMatch(/tomorrow/i);
  expect(readFileSync(fitted.file, 'utf8')).toContain('127.0.0.1:9092');
  await expect(release.fit({ kafka: { brokers: 7 } }, write)).rejects.toThrow(
    /refuses the configuration of this run: kafka\.brokers: /,
  );
});

test('a folder that is no release, or not fit to run, is told with what mends it', () => {
  expect(() => previousRelease(join(temporaryFolder(), 'absent'))).toThrow('git worktree add FOLDER TAG');
  expect(() => previousRelease(REPOSITORY)).toThrow('is the checkout that is running');
  expect(previousRelease(checkout()).name).toMatch(/^\d+\.\d+\.\d+$/);

  const other = checkout();
  change(join(other, 'package.json'), (text) => text.replace('"email-events"', '"something-else"'));
  expect(() => previousRelease(other)).toThrow('is no checkout of email-events');

  const bare = checkout();
  rmSync(join(bare, 'node_modules'), { recursive: true });
  expect(() => previousRelease(bare)).toThrow('its packages are not installed: run npm ci there');

  const stale = checkout();
  change(join(stale, 'package-lock.json'), (text) => {
    const lock = JSON.parse(text) as { packages: { [path: string]: { version: string } } };
    lock.packages['node_modules/kafkajs'] = { version: '0.0.1' };
    return JSON.stringify(lock);
  });
  expect(() => previousRelease(stale)).toThrow(
    'its packages are not those of its package-lock.json (node_modules/kafkajs): run npm ci there',
  );
});
