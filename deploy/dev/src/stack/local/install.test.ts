import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { readVersions } from '../versions.ts';
import { installJava, installKafka, installOnce, installRegistry, javaMajor } from './install.ts';

function context() {
  const toolsDir = mkdtempSync(join(tmpdir(), 'install-test-'));
  onTestFinished(() => rmSync(toolsDir, { recursive: true }));
  return { toolsDir, versions: readVersions(), onProgress: () => {} };
}

const tool = { component: 'tool', folder: 'tool-1', detail: 'Tool 1', result: 'bin' };

test('two installers at once fill the folder once', async () => {
  const at = context();
  let fills = 0;
  const install = () =>
    installOnce(at, {
      ...tool,
      fill: async (folder) => {
        fills += 1;
        writeFileSync(join(folder, 'bin'), 'complete');
      },
    });
  const [one, two] = await Promise.all([install(), install()]);
  expect(one).toBe(two);
  expect(await readFile(one, 'utf8')).toBe('complete');
  expect(fills).toBe(1);
});

test('an installation that fails leaves nothing, and the next one starts afresh', async () => {
  const at = context();
  const failing = installOnce(at, {
    ...tool,
    fill: async (folder) => {
      writeFileSync(join(folder, 'bin'), 'half');
      throw new Error('download broke off');
    },
  });
  await expect(failing).rejects.toThrow('download broke off');
  expect(readdirSync(at.toolsDir).filter((name) => !name.includes('.lock'))).toEqual([]);
  const result = await installOnce(at, {
    ...tool,
    fill: async (folder) => writeFileSync(join(folder, 'bin'), 'complete'),
  });
  expect(existsSync(result)).toBe(true);
});

test.each([
  ['Kafka', installKafka, 'apt-get install maven'],
  ['the registry', installRegistry, 'apt-get install maven'],
  ['Java', installJava, 'openjdk-21-jre-headless'],
])('a machine that lacks what installs %s is told what to install', async (_name, install, advice) => {
  const at = context();
  vi.stubEnv('PATH', at.toolsDir);
  vi.stubEnv('JAVA_HOME', '');
  onTestFinished(() => void vi.unstubAllEnvs());
  await expect(install(at)).rejects.toMatchObject({
    code: 'STACK_TOOL_MISSING',
    message: expect.stringContaining(advice),
  });
});

test.each([
  ['openjdk version "21.0.8" 2025-07-15\nOpenJDK Runtime Environment', 21],
  ['openjdk version "17.0.15" 2025-04-15', 17],
  ['java version "1.8.0_402"', 8],
  ['openjdk version "25" 2025-09-16', 25],
  ['openjdk version "26-ea" 2026-03-17', 26],
  ['command not found', null],
])('%s', (output, major) => {
  expect(javaMajor(output)).toBe(major);
});
