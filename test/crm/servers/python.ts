import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { type InstallContext, installOnce, runMaven } from '@email-events/dev/stack/programs';

/**
 * A CPython that needs nothing of this machine, out of Maven Central, which the stack needs anyway: what runs on it wants 3.12 or newer, and
 * Debian 12 has 3.11.
 */
const VERSION = '3.13.5-1.5.12';

const PLATFORMS: { readonly [platform: string]: string } = {
  'linux-x64': 'linux-x86_64',
  'linux-arm64': 'linux-arm64',
  'darwin-x64': 'macosx-x86_64',
  'darwin-arm64': 'macosx-arm64',
};

/** Path of the program. */
export function installPython(context: InstallContext): Promise<string> {
  const platform = PLATFORMS[`${process.platform}-${process.arch}`] ?? 'unknown';
  const home = join('org', 'bytedeco', 'cpython', platform);
  return installOnce(context, {
    component: 'python',
    folder: `python-${VERSION}`,
    detail: `Python ${VERSION} (Maven)`,
    result: join(home, 'bin', 'python3.13'),
    fill: async (folder) => {
      await runMaven(context, folder, [
        'dependency:unpack',
        `-Dartifact=org.bytedeco:cpython:${VERSION}:jar:${platform}`,
        `-DoutputDirectory=${folder}`,
        `-Dmdep.unpack.excludes=META-INF/**,${home}/include/**,${home}/lib/python3.13/test/**`,
      ]);
      // A jar has no modes.
      await chmod(join(folder, home, 'bin', 'python3.13'), 0o755);
    },
  });
}
