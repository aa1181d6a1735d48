import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT } from './workspaces.ts';

const text = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const workspacesIn = (command: string) =>
  [...command.matchAll(/--workspace=(\S+)/g)].map(([, name]) => name).sort();

test.each(['audit', 'sbom'])('npm run %s is about what the image installs', (name) => {
  const { scripts } = JSON.parse(text('package.json')) as { scripts: { [name: string]: string } };
  const installed = workspacesIn(text('deploy/images/email-events/Dockerfile'));
  expect(installed.length).toBeGreaterThan(5);
  expect(workspacesIn(scripts[name] ?? '')).toEqual(installed);
});
