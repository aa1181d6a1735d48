import { join } from 'node:path';
import { type ConfigTree, writeLocalConfig } from '@email-events/dev/run/local-config';
import type { Release, ReleaseProcess } from './release.ts';
import { espsWithout } from './release-config.ts';
import { type FaultyService, UPGRADED_SERVICES } from './targets.ts';

export interface ReleaseOptions {
  /** The configuration of the run, as services see the components and as the judge does. */
  readonly proxied: ConfigTree;
  readonly direct: ConfigTree;
  readonly sources: { readonly [name: string]: { readonly esp: string } };
  /** For the files that this release reads. */
  readonly folder: string;
}

/** The services of another release, on the components of a run. */
export interface ReleaseServices {
  readonly processes: ReadonlyMap<FaultyService, ReleaseProcess & { readonly cwd: string }>;
  /** Paths of keys of the configuration that it does not know. */
  readonly leftOut: readonly string[];
  /** ESPs that it does not know. */
  readonly esps: readonly string[];
}

/** Gives a release its configuration, and makes its topics, schemas and tables. Throws an Error that says what it refuses. */
export async function prepareRelease(release: Release, options: ReleaseOptions): Promise<ReleaseServices> {
  const { proxied, direct, sources, folder } = options;
  const writer = (name: string) => (tree: ConfigTree) => {
    const file = join(folder, name);
    writeLocalConfig(file, tree);
    return file;
  };
  const { file, leftOut } = await release.fit(proxied, writer('old-release.yaml'));
  const past = await release.fit(direct, writer('old-release-direct.yaml'));
  const processes = await Promise.all(
    UPGRADED_SERVICES.map(
      async (service) =>
        [service, { ...(await release.processOf(service, file)), cwd: release.root }] as const,
    ),
  );
  await release.prepare(past.file);
  return { processes: new Map(processes), leftOut, esps: espsWithout(sources, leftOut) };
}
