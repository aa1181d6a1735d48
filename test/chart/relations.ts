import { consumerGroups, type PipelineConfig, services, servicesOf } from '@email-events/cli/services';
import { valueAt } from '@email-events/core/config';
import type { Values } from './cases.ts';
import type { Manifest } from './crds.ts';

interface Container {
  readonly args: readonly string[];
  readonly env?: readonly { readonly name: string; readonly value: string }[];
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
}

/** What no schema sees: whether the objects fit each other, the values, and what the services say of themselves. */
export function relationProblems(
  manifests: readonly Manifest[],
  values: Values,
  config: PipelineConfig,
): readonly string[] {
  return [
    ...servicesThere(manifests, config),
    ...podsRestricted(manifests),
    ...selectorsMatch(manifests),
    ...secretsExist(manifests, values),
    ...portsAgree(manifests, config),
    ...lagOfOwnGroups(manifests, config),
    ...disksKept(manifests),
    ...timeToStop(manifests, config),
    ...serversReached(manifests, config),
  ];
}

const WORKLOADS = ['Deployment', 'StatefulSet', 'Job'];
const workloads = (manifests: readonly Manifest[]) =>
  manifests.filter(({ kind }) => WORKLOADS.includes(kind));
const podOf = (manifest: Manifest) => manifest.spec.template;
const containersOf = (manifest: Manifest): readonly Container[] => podOf(manifest).spec.containers;
const componentOf = (manifest: Manifest) => manifest.metadata.labels?.['app.kubernetes.io/component'] ?? '';
const nameOf = ({ kind, metadata }: Manifest) => `${kind} ${metadata.name}`;

function servicesThere(manifests: readonly Manifest[], config: PipelineConfig): string[] {
  const wanted = servicesOf(config).map(({ name, disk }) => `${disk ? 'StatefulSet' : 'Deployment'} ${name}`);
  const found = workloads(manifests)
    .filter(({ kind }) => kind !== 'Job')
    .map((manifest) => `${manifest.kind} ${containersOf(manifest)[0]?.args.join(' ')}`);
  const differ = [
    ...wanted.filter((one) => !found.includes(one)),
    ...found.filter((one) => !wanted.includes(one)),
  ];
  return differ.map((one) => `either missing or too much: ${one}`);
}

/** The restricted level of the Pod Security Standards, and beyond. */
function podsRestricted(manifests: readonly Manifest[]): string[] {
  return workloads(manifests).flatMap((manifest) => {
    const { spec } = podOf(manifest);
    const own = (is: unknown, what: string) => (is ? [] : [`${nameOf(manifest)}: ${what}`]);
    return [
      ...own(spec.securityContext?.runAsNonRoot === true, 'may run as root'),
      ...own(spec.securityContext?.seccompProfile?.type === 'RuntimeDefault', 'has no seccomp profile'),
      ...own(spec.automountServiceAccountToken === false, 'has a token of the cluster'),
      ...spec.containers.flatMap(
        // biome-ignore lint/suspicious/noExplicitAny: as above.
        ({ securityContext: own_, resources, name }: any) => [
          ...own(own_?.allowPrivilegeEscalation === false, `${name} may gain privileges`),
          ...own(own_?.readOnlyRootFilesystem === true, `${name} may write to its image`),
          ...own(own_?.capabilities?.drop?.includes('ALL'), `${name} has capabilities`),
          ...own(resources?.limits?.memory && resources.requests?.cpu, `${name} has no limits`),
        ],
      ),
    ];
  });
}

function selectorsMatch(manifests: readonly Manifest[]): string[] {
  const pods = workloads(manifests).map((manifest) => podOf(manifest).metadata.labels);
  const problems: string[] = [];
  for (const manifest of manifests) {
    const { kind, spec } = manifest;
    const labels = kind === 'Service' ? spec.selector : (spec?.selector ?? spec?.podSelector)?.matchLabels;
    if (kind === 'ServiceMonitor') {
      const some = manifests.filter(
        (other) => other.kind === 'Service' && has(other.metadata.labels, labels),
      );
      const admins = manifests.filter(({ metadata }) => metadata.name.endsWith('-admin'));
      if (some.length !== admins.length)
        problems.push(`${nameOf(manifest)} finds not all admin ports, or more`);
    } else if (labels && !pods.some((pod) => has(pod, labels)))
      problems.push(`${nameOf(manifest)} selects no pod`);
    const target = spec?.scaleTargetRef;
    if (
      target &&
      !manifests.some(({ kind: of, metadata }) => of === target.kind && metadata.name === target.name)
    )
      problems.push(`${nameOf(manifest)} scales what is not there`);
    const headless = kind === 'StatefulSet' && spec.serviceName;
    if (headless && !manifests.some((other) => other.kind === 'Service' && other.metadata.name === headless))
      problems.push(`${nameOf(manifest)} names no Service`);
  }
  return problems;
}

const has = (
  labels: { readonly [key: string]: string } | undefined,
  wanted: { readonly [key: string]: string },
) => Object.entries(wanted).every(([key, value]) => labels?.[key] === value);

function secretsExist(manifests: readonly Manifest[], values: Values): string[] {
  const text = JSON.stringify(values);
  return workloads(manifests).flatMap((manifest) =>
    (podOf(manifest).spec.volumes as { secret?: { secretName: string } }[]).flatMap(({ secret }) => {
      const isUser = secret?.secretName.startsWith(`${valueAt(values, 'config.kafka.groupPrefix')}-`);
      const isNamed = secret && text.includes(`"${secret.secretName}"`);
      return !secret || isUser || isNamed ? [] : [`${nameOf(manifest)} wants a Secret ${secret.secretName}`];
    }),
  );
}

/** The ports of a pod are those on which the service will listen, on every address. */
function portsAgree(manifests: readonly Manifest[], config: PipelineConfig): string[] {
  return servicesOf(config).flatMap(({ name, section, ports = {} }) => {
    const container = workloads(manifests).find((manifest) => componentOf(manifest) === name);
    const found = container && containersOf(container)[0]?.ports?.map(({ containerPort }) => containerPort);
    const wanted = ['adminPort', ...Object.keys(ports)].map((key) => valueAt(config, `${section}.${key}`));
    return JSON.stringify(found) === JSON.stringify(wanted) ? [] : [`${name}: ports ${found}, not ${wanted}`];
  });
}

/** Lag is that of the groups in which the services really are. */
function lagOfOwnGroups(manifests: readonly Manifest[], config: PipelineConfig): string[] {
  const groups = consumerGroups(config);
  return manifests
    .filter(({ kind }) => kind === 'ScaledObject')
    .flatMap((manifest) => {
      const own = groups.filter(({ service }) => service === componentOf(manifest));
      const triggers: { metadata: { [key: string]: string } }[] = manifest.spec.triggers;
      const found = triggers.map(({ metadata }) => metadata.consumerGroup).join();
      const problems =
        found === own.map(({ group }) => group).join() ? [] : [`${nameOf(manifest)}: ${found}`];
      for (const { metadata } of triggers) {
        const topics = own.find(({ group }) => group === metadata.consumerGroup)?.topics ?? [];
        if (metadata.topic !== (topics.length === 1 ? topics[0] : undefined))
          problems.push(`${nameOf(manifest)} looks at ${metadata.topic}`);
        if (metadata.offsetResetPolicy !== 'latest' || metadata.scaleToZeroOnInvalidOffset !== 'false')
          problems.push(`${nameOf(manifest)} goes to the maximum, or away, before anything is committed`);
      }
      return problems;
    });
}

/** A volume with what is nowhere else outlives everything. */
function disksKept(manifests: readonly Manifest[]): string[] {
  return services.flatMap(({ name, disk }) => {
    const set = manifests.find(
      (manifest) => manifest.kind === 'StatefulSet' && componentOf(manifest) === name,
    );
    if (!disk || !set?.spec.volumeClaimTemplates) return [];
    const { whenScaled, whenDeleted } = set.spec.persistentVolumeClaimRetentionPolicy;
    const wanted = disk.holds === 'originals' ? 'Retain' : 'Delete';
    return whenScaled === wanted && whenDeleted === wanted
      ? []
      : [`${name}: ${disk.name} is not kept as it must be`];
  });
}

/** What core/README.md says of stops, and what the ingress is told to wait. */
function timeToStop(manifests: readonly Manifest[], { ingress }: PipelineConfig): string[] {
  return workloads(manifests).flatMap((manifest) => {
    const seconds = podOf(manifest).spec.terminationGracePeriodSeconds;
    if (manifest.kind === 'Job') return [];
    const { drainDelayMs, spool } = ingress;
    const waits = componentOf(manifest) === 'ingress' ? drainDelayMs + spool.drainOnStopMs + 60_000 : 0;
    return seconds * 1_000 >= 30_000 + (spool.drainOnStopMs > 0 ? waits : 0)
      ? []
      : [`${nameOf(manifest)} is killed after ${seconds} s, before it can be done`];
  });
}

/** Every URL that a service's section has, or one that all read, may be reached on its port. */
function serversReached(manifests: readonly Manifest[], config: PipelineConfig): string[] {
  const policies = manifests.filter(({ kind }) => kind === 'NetworkPolicy');
  const others = ['registry', 'sources', ...services.map(({ section }) => section.split('.')[0])];
  const common = Object.entries(config).filter(([key]) => !others.includes(key));
  return servicesOf(config).flatMap(({ name, section }) => {
    const policy = policies.find((manifest) => componentOf(manifest) === name);
    if (!policy) return [];
    const allowed = policy.spec.egress.flatMap(({ ports = [] }: { ports?: { port: number }[] }) =>
      ports.map(({ port }) => port),
    );
    const wanted = [...portsIn(valueAt(config, section)), ...common.flatMap(([, value]) => portsIn(value))];
    return wanted.flatMap((port) =>
      allowed.includes(port) ? [] : [`${nameOf(policy)} keeps it from port ${port}`],
    );
  });
}

function portsIn(value: unknown): number[] {
  if (typeof value === 'object' && value !== null) return Object.values(value).flatMap(portsIn);
  const url = typeof value === 'string' && /^https?:/.test(value) ? new URL(value) : undefined;
  return url ? [Number(url.port || (url.protocol === 'https:' ? 443 : 80))] : [];
}
