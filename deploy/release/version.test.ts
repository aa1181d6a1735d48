import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { isNewer, releasedChangelog, withVersion } from './version.ts';

const ROOT = join(import.meta.dirname, '../..');
const CURRENT = (JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string }).version;

test('versions are compared as numbers', () => {
  expect([isNewer('0.10.0', '0.9.9'), isNewer('1.0.0', '0.9.9'), isNewer('0.1.0', '0.1.0')]).toEqual([
    ...[true, true, false],
  ]);
  expect(isNewer('0.2.0', '1.1.0')).toBe(false);
});

test('what waited in the changelog is below its version, and nothing else moves', () => {
  const text = '# Changelog\n\n## [Unreleased]\n\n### Added\n\n- one\n\n## [0.1.0] - 2026-01-01\n\n- older\n';
  expect(releasedChangelog(text, '0.2.0', '2026-12-01')).toBe(
    '# Changelog\n\n## [Unreleased]\n\n## [0.2.0] - 2026-12-01\n\n### Added\n\n- one\n\n## [0.1.0] - 2026-01-01\n\n- older\n',
  );
  expect(() => releasedChangelog('## [Unreleased]\n\n## [0.1.0]\n\n- older\n', '0.2.0', '')).toThrow(
    'says nothing',
  );
});

/** Made by `npm run gen`; words, which may name any version; tests and their examples; what vendors are at; packages of others. */
const NOT_IT = [
  ...[/^deploy\/helm\/email-events\//, /\.md$/, /\.test\.ts$/, /\/fixtures\//, /^test\//],
  ...[/\/package-lock\.json$/, /vendor-types\//, /^ingress\/esps\//],
];

/** Files that name this version, and not a longer number that holds it. */
function naming(version: string): string[] {
  const whole = `(^|[^0-9.])v?${version.replaceAll('.', '[.]')}([^0-9.]|$)`;
  const options = { cwd: ROOT, encoding: 'utf8' } as const;
  const { stdout } = spawnSync('git', ['grep', '-lE', whole], options);
  return stdout.split('\n').filter((file) => file !== '' && !NOT_IT.some((other) => other.test(file)));
}

/** Those that would keep a version when another one is set. */
const keeping = (version: string) =>
  naming(version).filter((file) => {
    const text = readFileSync(join(ROOT, file), 'utf8');
    const changed = withVersion(file, text, version, '99.1.2');
    const lines = changed.split('\n').filter((line) => line.includes(version));
    // In the lock file, packages of others may be of that version.
    return !changed.includes('99.1.2') || (file !== 'package-lock.json' && lines.length > 0);
  });

test.each(['0.1.1', '0.2.0', '0.10.0', '1.0.0'])(
  'nothing but our packages would name the version %s',
  (next) => {
    const others = naming(next).filter((file) => file !== 'package-lock.json');
    expect(others).toEqual(
      next === CURRENT ? naming(CURRENT).filter((file) => file !== 'package-lock.json') : [],
    );
  },
);

test('a version is set in every file that names it, and in nothing of others', () => {
  expect(naming(CURRENT)).toContain('package.json');
  const left = keeping(CURRENT);
  expect(left).toEqual([]);
  const lock = withVersion(
    'package-lock.json',
    readFileSync(join(ROOT, 'package-lock.json'), 'utf8'),
    CURRENT,
    '99.1.2',
  );
  const { packages } = JSON.parse(lock) as { packages: { [path: string]: { version?: string } } };
  expect(packages['']?.version).toBe('99.1.2');
  expect(packages.processors).toMatchObject({
    version: '99.1.2',
    dependencies: { '@email-events/core': '99.1.2' },
  });
  const others = Object.entries(packages).filter(
    ([path, { version }]) => path.includes('node_modules/') && version === '99.1.2',
  );
  expect(others).toEqual([]);
});
