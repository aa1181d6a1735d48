import { StackError } from '../../errors.ts';
import { runTool } from '../../local/run-tool.ts';
import { type ProgressListener, withProgress } from '../../progress.ts';

// Another apt may be at work, as on a machine that has just booted.
const LOCK_WAIT = ['-o', 'DPkg::Lock::Timeout=120'];
const APT = ['env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', ...LOCK_WAIT] as const;

/**
 * Installs Debian packages, as root. Not called off by any signal: half an installation is worse than the wait.
 * @throws StackError STACK_INSTALL_FAILED, ending with what apt said
 */
export async function installPackages(
  packages: readonly string[],
  listener: ProgressListener,
): Promise<void> {
  if (packages.length === 0) return;
  const detail = packages.join(' ');
  await withProgress(listener, { component: 'apt', step: 'install', detail }, async () => {
    const install = ['install', '-y', '--no-install-recommends', ...packages];
    if ((await apt(install)).code === 0) return;
    // The lists of packages are missing or too old.
    await must(['update']);
    await must(install);
  });
}

async function must(args: readonly string[]): Promise<void> {
  const { code, output } = await apt(args);
  if (code === 0) return;
  const lines = output.trim().split('\n');
  // The first line says it all for whoever shows only that.
  const message = [`\`apt-get ${args.join(' ')}\` failed: ${lines.at(-1)}`, 'it said:', ...lines];
  throw new StackError('STACK_INSTALL_FAILED', message.join('\n'));
}

function apt(args: readonly string[]) {
  const [file, ...fixed] = APT;
  return runTool(file, [...fixed, ...args]);
}
