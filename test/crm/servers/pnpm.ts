import { join } from 'node:path';
import { type InstallContext, installOnce, runTool } from '@email-events/dev/stack/programs';
import { succeed } from './succeed.ts';

/** The one that Ghost's package is locked by. */
const VERSION = '12.4.2';

/** Path of the program. npm has it for each platform; the package without a platform would need its install script. */
export function installPnpm(context: InstallContext): Promise<string> {
  const name = `@pnpm/exe.${process.platform}-${process.arch}`;
  return installOnce(context, {
    component: 'pnpm',
    folder: `pnpm-${VERSION}`,
    detail: `pnpm ${VERSION} (npm)`,
    result: join('node_modules', name, 'pnpm'),
    fill: async (folder) => {
      const quiet = ['--no-audit', '--no-fund', '--no-package-lock', '--ignore-scripts', '--loglevel=error'];
      const args = ['install', '--prefix', folder, ...quiet, `${name}@${VERSION}`];
      succeed(await runTool('npm', args, { signal: context.signal }));
    },
  });
}
