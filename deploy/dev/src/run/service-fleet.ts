import { type PipelineConfig, pipelineConfig } from '@email-events/cli/services';
import type { LocalCertificate } from './certificates.ts';
import { type LocalConfigInput, localConfig, writeLocalConfig } from './local-config.ts';
import type { Service, ServiceNews } from './service.ts';
import { ServiceProcess } from './service-process.ts';
import { type ServiceName, serviceSpec } from './services.ts';

/** The services of one pipeline, none of them started yet. */
export interface ServiceFleet {
  /** As this machine sees the pipeline: for commands and for who prepares the components. Written to `configFile`. */
  readonly config: PipelineConfig;
  /** Where published ports are reached from here. */
  readonly host: string;
  /** Of ingress and receiver, where they serve HTTPS. */
  readonly certificate: LocalCertificate | undefined;
  create(name: ServiceName, news: (news: ServiceNews) => void): Service;
}

export interface FleetInput extends Omit<LocalConfigInput, 'crmSecretFile' | 'tls' | 'receiverHost'> {
  readonly crm: { readonly file: string; readonly secret: string };
}

/** Services as processes of this machine, on its loopback. */
export function processFleet(input: FleetInput): ServiceFleet {
  const { paths, ports, crm } = input;
  writeLocalConfig(paths.configFile, localConfig({ ...input, crmSecretFile: crm.file }));
  const settings = { paths, receiverPort: ports.receiver, crmSecret: crm.secret };
  return {
    config: pipelineConfig.load(paths.configFile),
    host: '127.0.0.1',
    certificate: undefined,
    create: (name, news) => new ServiceProcess(serviceSpec(name, settings), news),
  };
}
