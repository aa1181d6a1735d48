import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { aclsOf, principals } from '@email-events/cli/access/principals';
import type { PipelineConfig } from '@email-events/cli/services';
import { makeCertificate } from '@email-events/dev/certificates';
import type { SecuredBrokers, Stack, StackAddresses } from '@email-events/dev/stack';
import { waitFor } from '../harness/wait.ts';
import { makeScramUsers, securedProxied } from './brokers.ts';
import { startHttpsFront } from './https-front.ts';
import { allow } from './rights.ts';

/** Components that ask everybody who he is, for a world whose services come through proxies. */
export interface SecuredWorld {
  readonly brokers: SecuredBrokers;
  /** HTTPS with credentials before registry and ClickHouse. */
  front(stack: Stack): Promise<Pick<StackAddresses, 'registry' | 'clickhouse'>>;
  /** Makes a user for each service, with the rights that `acl print` tells of this configuration. */
  allow(direct: PipelineConfig): Promise<void>;
  /** What a service needs to come as its user. */
  environmentOf(service: string): Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

const RIGHTS_MS = 30_000;

/** @param folder for the authority and the key of the brokers */
export async function secureWorld(folder: string): Promise<SecuredWorld> {
  const certificate = await makeCertificate(['127.0.0.1']);
  await mkdir(folder, { recursive: true });
  const [caFile, keyFile] = [join(folder, 'ca.pem'), join(folder, 'server.pem')];
  await writeFile(caFile, certificate.cert);
  await writeFile(keyFile, `${certificate.key}${certificate.cert}\n`, { mode: 0o600 });
  const passwords = new Map<string, string>();
  const cleaners: (() => Promise<void>)[] = [];
  const front = async (target: string) => {
    const credentials = { username: 'pipeline', password: randomUUID() };
    const scope = { onTestFinished: (clean: () => Promise<void>) => void cleaners.push(clean) };
    const { url } = await startHttpsFront(scope, { certificate, target, ...credentials });
    return { url, ...credentials };
  };
  return {
    brokers: securedProxied(keyFile),
    async front({ registry, clickhouse }) {
      const { origin, pathname } = new URL(registry.url);
      const registryFront = await front(origin);
      return {
        registry: { ...registryFront, url: registryFront.url + pathname },
        clickhouse: await front(clickhouse.url),
      };
    },
    async allow(direct) {
      const all = principals(direct.kafka.groupPrefix, undefined, direct);
      for (const { name } of all) passwords.set(name, randomUUID());
      await waitFor(
        'users',
        async () => {
          await makeScramUsers(direct.kafka.brokers[0] ?? '', passwords);
          return true;
        },
        RIGHTS_MS,
      );
      await allow(direct.kafka, all.flatMap(aclsOf));
    },
    environmentOf(service) {
      return {
        NODE_EXTRA_CA_CERTS: caFile,
        EMAIL_EVENTS_KAFKA_TLS_ENABLED: 'true',
        EMAIL_EVENTS_KAFKA_TLS_CA_FILE: caFile,
        EMAIL_EVENTS_KAFKA_SASL_MECHANISM: 'scram-sha-512',
        EMAIL_EVENTS_KAFKA_SASL_USERNAME: service,
        EMAIL_EVENTS_KAFKA_SASL_PASSWORD: passwords.get(service) ?? '',
      };
    },
    async stop() {
      for (const clean of cleaners) await clean();
    },
  };
}
