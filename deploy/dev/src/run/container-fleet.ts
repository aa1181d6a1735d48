import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type PipelineConfig, pipelineConfig, serviceOf } from '@email-events/cli/services';
import { type Env, valueAt } from '@email-events/core/config';
import type { ServiceDescriptor } from '@email-events/core/service';
import { type LocalCertificate, localCertificate, trust } from '../certificates.ts';
import type { Engine } from '../stack/containers/engine.ts';
import type { ServicesImages } from '../stack/containers/images/services.ts';
import type { StackInside } from '../stack/index.ts';
import type { ContainerFile } from './container-files.ts';
import {
  INSIDE,
  insideConfig,
  type MountedFolder,
  mountFolder,
  userOfContainers,
} from './container-files.ts';
import { localConfig, renderLocalConfig, writeLocalConfig } from './local-config.ts';
import { type ContainerSpec, ServiceContainer } from './service-container.ts';
import type { FleetInput, ServiceFleet } from './service-fleet.ts';
import { type ServiceName, unavailable } from './services.ts';
import type { ServicePorts } from './supervisor.ts';

export interface ContainerFleetInput extends FleetInput {
  readonly engine: Engine;
  /** Of deploy/images/email-events. */
  readonly images: ServicesImages;
  readonly inside: StackInside;
  readonly env: Env;
}

/** Files of some services only. */
const CERT = 'tls/cert.pem';
const KEY = 'tls/key.pem';
const CRM_SECRET = 'crm.secret';

/**
 * Services as containers in the network of the stack. They share no loopback, and off it the ingress and the CRM sink
 * insist on TLS: ingress and receiver serve it by a certificate that is made here, and that this process trusts then.
 */
export async function containerFleet(input: ContainerFleetInput): Promise<ServiceFleet> {
  const { paths, crm, engine, images, inside, env } = input;
  const names = new Set(['localhost', '127.0.0.1', engine.host, 'ingress', 'receiver']);
  const certificate = await localCertificate(join(paths.secrets, 'tls'), [...names]);
  trust(certificate);
  const common = { ...input, crmSecretFile: crm.file, tls: certificate };
  writeLocalConfig(paths.configFile, localConfig({ ...common, receiverHost: engine.host }));
  const config = pipelineConfig.load(paths.configFile, env);
  const moved = insideConfig(
    localConfig({ ...common, addresses: inside.addresses, receiverHost: 'receiver' }),
    env,
  );
  writeLocalConfig(paths.insideConfigFile, moved.config);
  const files = [{ path: INSIDE.config, content: renderLocalConfig(moved.config) }, ...moved.files];
  const user = userOfContainers();
  const { network, labels } = inside;
  const place = { engine, network, labels, ...user, filesFolder: INSIDE.files };
  const folders = await Promise.all(
    foldersOf(input, config).map(([name, folder]) =>
      mountFolder(engine, user, folder).then((m) => [name, m]),
    ),
  );
  const mounts = Object.fromEntries(folders) as { [name in ServiceName]?: ContainerSpec['mounts'] };
  return {
    config,
    host: engine.host,
    certificate,
    create(name, news) {
      const parts = partsOf(name, input, config, { certificate, files });
      const logFile = join(paths.logs, `${name}.log`);
      const image = name === 'receiver' ? images.receiver : images.services;
      const spec = { name, logFile, mounts: mounts[name] ?? [], ...parts };
      return new ServiceContainer(spec, { ...place, image }, news);
    },
  };
}

/** Folders that survive restarts. */
function foldersOf({ paths }: FleetInput, config: PipelineConfig): [ServiceName, MountedFolder][] {
  return [
    ['ingress', { source: config.ingress.spool.dir, target: INSIDE.spool }],
    ['events', { source: config.events.stateDir, target: INSIDE.state }],
    ['receiver', { source: paths.receiver, target: INSIDE.receiver }],
  ];
}

type Parts = Pick<ContainerSpec, 'command' | 'env' | 'files' | 'ports' | 'healthUrl'>;

function partsOf(
  name: ServiceName,
  { engine, ports, crm }: ContainerFleetInput,
  config: PipelineConfig,
  { certificate, files }: { certificate: LocalCertificate; files: readonly ContainerFile[] },
): Parts {
  const cert = { path: CERT, content: readFileSync(certificate.certFile, 'utf8') };
  if (name === 'receiver') {
    const key = { path: KEY, content: readFileSync(certificate.keyFile, 'utf8') };
    const at = (file: string) => `${INSIDE.files}/${file}`;
    return {
      command: [name, '--port', String(ports.receiver), '--tls-cert', at(CERT), '--tls-key', at(KEY)],
      env: { EMAIL_EVENTS_RECEIVER_SECRETS: `file:${at(CRM_SECRET)}` },
      files: [cert, key, { path: CRM_SECRET, content: crm.secret }],
      ports: { http: ports.receiver },
      healthUrl: `https://${engine.host}:${ports.receiver}/healthz`,
    };
  }
  const published = publishedPorts(name, config);
  const common = {
    command: [name],
    ports: published,
    healthUrl: `http://${engine.host}:${published.admin}/healthz`,
  };
  if (name !== 'sink-crm') return { ...common, env: {}, files };
  return { ...common, env: { NODE_EXTRA_CA_CERTS: `${INSIDE.files}/${CERT}` }, files: [...files, cert] };
}

/** Throws RUN_SERVICES_UNAVAILABLE for port 0: the container would choose a port that cannot be learned outside. */
export function publishedPorts(name: Exclude<ServiceName, 'receiver'>, config: PipelineConfig): ServicePorts {
  const { section, ports = {} }: ServiceDescriptor = serviceOf(name);
  const own = valueAt(config, section) as { readonly [key: string]: number } | undefined;
  const found: ServicePorts = {
    ...(Object.hasOwn(ports, 'port') && { http: own?.port ?? 0 }),
    admin: own?.adminPort ?? 0,
  };
  if (Object.values(found).every((port) => port > 0)) return found;
  throw unavailable(`${name}: port 0 cannot be published: name one, or leave it out of the configuration`);
}
