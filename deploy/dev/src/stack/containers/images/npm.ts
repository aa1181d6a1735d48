import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { StackError } from '../../errors.ts';
import { type InstallContext, installOnce } from '../../local/install.ts';
import { runTool } from '../../local/run-tool.ts';

/** The npm that the project says it is installed with. */
export const NPM_VERSION = npmVersion();

/** npm's own folder. */
export function installNpm(context: InstallContext): Promise<string> {
  const name = `npm@${NPM_VERSION}`;
  return installOnce(context, {
    component: 'npm',
    folder: `npm-${NPM_VERSION}`,
    detail: name,
    result: join('node_modules', 'npm'),
    fill: async (folder) => {
      const quiet = ['--no-audit', '--no-fund', '--no-package-lock', '--ignore-scripts', '--loglevel=error'];
      const { signal } = context;
      const { code, output } = await runTool('npm', ['install', '--prefix', folder, ...quiet, name], {
        signal,
      });
      if (code !== 0) throw new StackError('STACK_INSTALL_FAILED', `npm could not fetch ${name}:\n${output}`);
    },
  });
}

function npmVersion(): string {
  const file = new URL('../../../../../../package.json', import.meta.url);
  const { packageManager } = JSON.parse(readFileSync(file, 'utf8'));
  return String(packageManager).replace(/^npm@/, '');
}
