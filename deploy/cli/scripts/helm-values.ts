import type { JsonSchema } from '@email-events/core/config';
import { pipelineConfig, type Services } from '../src/services.ts';

const text = { type: 'string' };
const some = { type: 'string', minLength: 1 };
const flag = { type: 'boolean' };
const from0 = { type: 'integer', minimum: 0 };
const from1 = { type: 'integer', minimum: 1 };
const texts = { type: 'object', additionalProperties: text };
/** What Kubernetes itself checks, which knows more of it. */
const any = { type: 'object' };
const list = { type: 'array', items: any };
const oneOf = (...values: string[]) => ({ type: 'string', enum: values });
const object = (properties: object, required: readonly string[] = []) => ({
  type: 'object',
  additionalProperties: false,
  properties,
  ...(required.length > 0 && { required }),
});

const image = object({
  repository: some,
  tag: text,
  digest: { type: 'string', pattern: '^(sha256:[0-9a-f]{64})?$' },
  pullPolicy: oneOf('Always', 'IfNotPresent', 'Never'),
});

const autoscaling = object({
  by: oneOf('none', 'cpu', 'lag'),
  minReplicas: from1,
  maxReplicas: from0,
  targetCpu: { type: 'integer', minimum: 1, maximum: 100 },
  lagThreshold: from1,
  authenticationRef: text,
  stabilizationSeconds: { type: 'integer', minimum: 0, maximum: 3_600 },
});

const storage = object({
  enabled: flag,
  size: { type: 'string', pattern: '^[0-9]+([.][0-9]+)?(Ki|Mi|Gi|Ti|k|M|G|T)?$' },
  storageClass: text,
  accessModes: { type: 'array', minItems: 1, items: oneOf('ReadWriteOnce', 'ReadWriteOncePod') },
});

const http = object({
  type: oneOf('ClusterIP', 'NodePort', 'LoadBalancer'),
  port: { type: 'integer', minimum: 1, maximum: 65_535 },
  annotations: texts,
  loadBalancerSourceRanges: { type: 'array', items: some },
  clients: list,
  route: object({
    enabled: flag,
    className: text,
    host: text,
    path: { type: 'string', pattern: '^/' },
    tlsSecret: text,
    annotations: texts,
  }),
});

const ofAService = {
  image,
  replicas: from0,
  autoscaling,
  storage,
  http,
  tlsSecret: text,
  resources: any,
  env: list,
  egress: list,
  podAnnotations: texts,
  podLabels: texts,
  nodeSelector: texts,
  tolerations: list,
  affinity: any,
  topologySpreadConstraints: list,
  priorityClassName: text,
  maxUnavailable: from0,
  extraGraceSeconds: from0,
};

/** Refuses what the templates do not know, and a configuration that the services would refuse for its form. */
export function valuesSchema(all: Services): object {
  const { $schema: _, ...config } = pipelineConfig.schema.json as JsonSchema & { $schema?: string };
  const names = [...all.map(({ name }) => name), 'topics', 'schemas', 'migrations'];
  const peers = list;
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $comment: 'Generated from the descriptors of the services by `npm run gen`. Do not edit.',
    ...object({
      global: any,
      nameOverride: text,
      fullnameOverride: text,
      image,
      imagePullSecrets: list,
      config,
      secrets: {
        type: 'array',
        items: object({ existingSecret: some, for: { type: 'array', items: oneOf(...names) } }, [
          'existingSecret',
        ]),
      },
      kafkaUsers: object({
        enabled: flag,
        mechanism: oneOf('plain', 'scram-sha-256', 'scram-sha-512'),
        passwordKey: some,
        deployer: some,
      }),
      serviceAccount: object({ create: flag, name: text, annotations: texts }),
      podSecurityContext: any,
      securityContext: any,
      defaults: object(ofAService),
      services: object(Object.fromEntries(all.map(({ name }) => [name, object(ofAService)]))),
      hooks: object({
        topics: object({ enabled: flag }),
        schemas: object({ enabled: flag }),
        migrations: object({ enabled: flag, activeDeadlineSeconds: from1 }),
        resources: any,
        activeDeadlineSeconds: from1,
        backoffLimit: from0,
      }),
      networkPolicy: object({
        enabled: flag,
        monitoring: peers,
        peers: object({ dns: peers, kafka: peers, registry: peers, urls: peers, fetches: peers }),
      }),
      monitoring: object({
        serviceMonitor: object({ enabled: flag, interval: some, labels: texts }),
        rules: object({ enabled: flag, labels: texts }),
      }),
    }),
  };
}
