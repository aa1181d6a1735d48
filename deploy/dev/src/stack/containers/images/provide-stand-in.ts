import { readVersions } from '../../versions.ts';
import { buildImage } from './build.ts';
import { buildOnce } from './build-once.ts';
import type { ImageContext } from './context.ts';
import { importDebian } from './debian.ts';
import { filesOf, IMAGE_LABEL, referenceOf, type StandIn } from './stand-in.ts';
import { base } from './stand-ins.ts';

/**
 * Builds the image unless the engine has it, and before it what it is built on.
 * @throws StackError STACK_IMAGE_BUILD_FAILED, STACK_TOOL_MISSING, STACK_INSTALL_FAILED, STACK_ABORTED
 */
export function provideStandIn(context: ImageContext, standIn: StandIn): Promise<string> {
  const reference = referenceOf(standIn, readVersions());
  return buildOnce(context, { name: standIn.name, reference }, async (toolsDir) => {
    const { parent, files } = await both({
      parent: standIn.parent && provideStandIn(context, standIn.parent),
      files: standIn.files?.({ ...context, toolsDir, versions: readVersions() }) ?? {},
    });
    return () => make(context, standIn, { reference, parent, files });
  });
}

/** What both come to; if one fails, nothing goes on behind the caller's back. */
async function both<P, F>(of: { parent: P; files: F }): Promise<{ parent: Awaited<P>; files: Awaited<F> }> {
  const settled = [of.parent, of.files] as const;
  await Promise.allSettled(settled);
  const [parent, files] = await Promise.all(settled);
  return { parent, files };
}

interface Making {
  readonly reference: string;
  readonly parent: string | undefined;
  readonly files: Readonly<Record<string, string>>;
}

async function make(context: ImageContext, standIn: StandIn, making: Making): Promise<void> {
  const { reference, parent, files } = making;
  const labels = { [IMAGE_LABEL]: standIn.name };
  const { folder } = standIn;
  if (standIn === base) {
    await importDebian(context, { reference, release: readVersions().DEBIAN_RELEASE, folder, labels });
    return;
  }
  await buildImage(context, {
    reference,
    context: { ...filesOf(folder), ...files },
    exclude: standIn.exclude ?? [],
    buildArgs: parent ? { BASE: parent } : {},
    labels,
    // Everything is in the context.
    network: 'none',
  });
}
