import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { ROOT, workspaces } from './workspaces.ts';

/**
 * Who may import whom. A package may import what its own package.json declares, and nothing else: the linter sees to
 * that. So the direction of imports, and the one seam to each outside system, are a matter of the manifests.
 */
const MAY_IMPORT: { readonly [folder: string]: readonly string[] } = {
  schemas: [],
  core: ['schemas'],
  'ingress/esps': ['schemas'],
  ingress: ['core', 'esps', 'schemas'],
  processors: ['core', 'esps', 'schemas'],
  'sinks/*': ['core', 'schemas'],
  'deploy/cli': ['core', 'esps', 'ingress', 'processors', 'schemas', 'sink-*'],
  'deploy/dev': ['cli', 'core', 'esps', 'ingress', 'processors', 'schemas', 'sink-*'],
  test: ['cli', 'core', 'dev', 'esps', 'ingress', 'processors', 'schemas', 'sink-*'],
};

const ONLY_IN: { readonly [library: string]: readonly string[] } = {
  kafkajs: ['core'],
  express: ['ingress', 'deploy/dev'],
  '@clickhouse/client': ['sinks/clickhouse'],
  lmdb: ['processors'],
};

const manifests = workspaces();

test('there are packages', () => {
  expect(manifests.length).toBeGreaterThanOrEqual(8);
});

test.for(manifests)('$folder declares only packages below it', ({ folder, declared }) => {
  const allowed = MAY_IMPORT[folder] ?? MAY_IMPORT[`${dirname(folder)}/*`];
  const own = declared.filter((name) => name.startsWith('@email-events/')).map((name) => name.split('/')[1]!);
  const refused = own.filter(
    (name) => !allowed?.includes(name) && !allowed?.includes(name.replace(/-.*/, '-*')),
  );
  expect(allowed).toBeDefined();
  expect(refused).toEqual([]);
});

test.for(Object.entries(ONLY_IN))('%s is declared only where it belongs', ([library, folders]) => {
  const where = manifests.filter(({ declared }) => declared.includes(library)).map(({ folder }) => folder);
  expect(where.sort()).toEqual([...folders].sort());
});

/** Files that break a rule each, in a copy of the repository that has nothing else but its manifests and rules. */
const VIOLATIONS: readonly [path: string, line: string, rule: string][] = [
  ['schemas/src/up.ts', "import '@email-events/core';", 'noUndeclaredDependencies'],
  ['core/src/up.ts', "import '@email-events/ingress';", 'noUndeclaredDependencies'],
  ['core/src/type.ts', "export type { A } from '@email-events/esps';", 'noUndeclaredDependencies'],
  ['ingress/esps/src/up.ts', "import '@email-events/core';", 'noUndeclaredDependencies'],
  ['ingress/src/across.ts', "import '@email-events/processors';", 'noUndeclaredDependencies'],
  ['processors/src/across.ts', "await import('@email-events/ingress');", 'noUndeclaredDependencies'],
  ['sinks/crm/src/across.ts', "import '@email-events/sink-clickhouse';", 'noUndeclaredDependencies'],
  ['deploy/cli/src/up.ts', "import '@email-events/dev';", 'noUndeclaredDependencies'],
  ['deploy/cli/src/type.ts', "import type { A } from '@email-events/dev/stack';", 'noUndeclaredDependencies'],
  ['deploy/dev/src/up.ts', "import '@email-events/test';", 'noUndeclaredDependencies'],
  ['ingress/src/kafka.ts', "import 'kafkajs';", 'noUndeclaredDependencies'],
  ['core/src/http.ts', "import 'express';", 'noUndeclaredDependencies'],
  ['deploy/cli/src/client.ts', "import '@clickhouse/client';", 'noUndeclaredDependencies'],
  ['deploy/cli/src/server.ts', "import 'express';", 'noUndeclaredDependencies'],
  ['deploy/dev/src/store.ts', "import 'lmdb';", 'noUndeclaredDependencies'],
  ['ingress/esps/src/dev.ts', "import '@peculiar/x509';", 'noUndeclaredDependencies'],
  ['deploy/dev/src/run/http.ts', "import 'express';", 'noRestrictedImports'],
  ['core/src/past.ts', "import '../../schemas/src/index.ts';", 'noRestrictedImports'],
  ['ingress/src/past.ts', "import '../esps/src/index.ts';", 'noRestrictedImports'],
  ['sinks/crm/src/adapters/past.ts', "import '../../../clickhouse/src/rows.ts';", 'noRestrictedImports'],
  ['deploy/cli/src/past.ts', "import '../../dev/src/index.ts';", 'noRestrictedImports'],
  [
    'deploy/cli/src/commands/past.ts',
    "import type { A } from '../../../dev/src/run/a.ts';",
    'noRestrictedImports',
  ],
  ['deploy/dev/src/past.ts', "import '../../../core/src/index.ts';", 'noRestrictedImports'],
  ['deploy/dev/src/receiver/past.ts', "import '../../../../core/src/index.ts';", 'noRestrictedImports'],
  ['ingress/src/stack.ts', "import '../../test/harness/stack.ts';", 'noRestrictedImports'],
  ['ingress/src/account.ts', "import '@email-events/esps/accounts';", 'noRestrictedImports'],
  ['processors/src/account.ts', "import '@email-events/esps/accounts/own';", 'noRestrictedImports'],
  ['ingress/esps/src/account.ts', "import '../accounts/own.ts';", 'noRestrictedImports'],
  ['core/src/round.ts', "export * from './about.ts';", 'noImportCycles'],
  ['core/src/about.ts', "export * from './round.ts';", 'noImportCycles'],
  ['core/src/long.ts', 'export {};\n'.repeat(401).trimEnd(), 'noExcessiveLinesPerFile'],
  ['core/src/default.ts', 'export default 1;', 'noDefaultExport'],
  ['core/src/skipped.test.ts', "import { test } from 'vitest';\ntest.skip('x', () => {});", 'noSkippedTests'],
];

const ALLOWED: readonly [path: string, line: string][] = [
  ['core/src/own.ts', "import 'kafkajs';\nimport '@email-events/schemas';"],
  ['core/scripts/own.ts', "import '../src/own.ts';"],
  ['core/src/kafka/own.ts', "import '../own.ts';"],
  ['ingress/src/own.ts', "import 'express';\nimport '@email-events/esps';"],
  ['ingress/esps/accounts/own.ts', "import '@peculiar/x509';\nimport '../src/own.ts';"],
  ['ingress/src/testing/own.ts', "import '@email-events/esps/accounts';"],
  ['deploy/dev/src/receiver/own.ts', "import 'express';"],
  ['deploy/dev/src/own.ts', "import '@email-events/cli/program';"],
  ['ingress/src/own.test.ts', "import '@email-events/dev/stack';\nimport '../../test/harness/stack.ts';"],
];

const copy = mkdtempSync(join(tmpdir(), 'email-events-imports-'));
afterAll(() => rmSync(copy, { recursive: true, force: true }));

test('the linter refuses each kind of forbidden import, and only those', () => {
  const manifestPaths = manifests.map(({ folder }) => join(folder, 'package.json'));
  for (const path of ['biome.json', 'package.json', ...manifestPaths])
    cpSync(join(ROOT, path), join(copy, path));
  for (const [path, line] of [...VIOLATIONS, ...ALLOWED]) {
    mkdirSync(dirname(join(copy, path)), { recursive: true });
    writeFileSync(join(copy, path), `${line}\n`);
  }
  const found = lint();
  const expected = VIOLATIONS.map(([path, , rule]) => `${path} ${rule}`);
  expect(found.map(({ path, rule }) => `${path} ${rule}`).sort()).toEqual(expected.sort());
});

/** Findings of the rules that this file is about, in the copy, which has no .gitignore. */
function lint(): { path: string; rule: string }[] {
  const args = ['lint', '--vcs-enabled=false', '--reporter=json', '--max-diagnostics=none', '.'];
  const { stdout, stderr } = spawnSync(join(ROOT, 'node_modules/.bin/biome'), args, {
    cwd: copy,
    encoding: 'utf8',
  });
  if (!stdout.startsWith('{')) throw new Error(stderr);
  const { diagnostics } = JSON.parse(stdout) as {
    diagnostics: { category: string; location: { path: string } }[];
  };
  const rules = new Set(VIOLATIONS.map(([, , rule]) => rule));
  return diagnostics
    .map(({ category, location }) => ({ path: location.path, rule: category.split('/').at(-1) ?? '' }))
    .filter(({ rule }) => rules.has(rule));
}
