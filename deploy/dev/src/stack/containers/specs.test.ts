import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { type ContainerSpec, keyOf } from './specs.ts';

test('a container is another one with another setting, port, image, or content of a file that it gets', () => {
  const folder = mkdtempSync(join(tmpdir(), 'spec-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const source = join(folder, 'settings.xml');
  writeFileSync(source, 'before');
  const spec: ContainerSpec = {
    ...{ name: 'clickhouse', image: 'image:1', env: { A: '1' }, publish: [{ container: 1, host: 2 }] },
    ...{ dataFolder: '/data', copy: [{ source, target: '/settings.xml' }] },
    ...{ answers: async () => true, startDeadlineMs: 1, stopDeadlineMs: 1 },
  };
  const key = keyOf(spec, 'id');
  expect(keyOf({ ...spec }, 'id')).toBe(key);
  const others = [
    keyOf({ ...spec, env: { A: '2' } }, 'id'),
    keyOf({ ...spec, publish: [{ container: 1, host: 3 }] }, 'id'),
    keyOf(spec, 'another id'),
  ];
  writeFileSync(source, 'after');
  others.push(keyOf(spec, 'id'));
  expect(new Set([key, ...others]).size).toBe(5);
});
