/** Values of a release. */
export interface Values {
  readonly [key: string]: unknown;
}

const SECRETS = '/etc/email-events/secrets';

/** Without which the chart makes nothing: a webhook, and who has the certificate. */
const smallest = {
  config: {
    sources: { shop: { esp: 'sendgrid', secrets: [`file:${SECRETS}/sources/shop`] } },
    ingress: { trustedProxies: ['10.0.0.0/8'] },
  },
};

const whole = {
  config: {
    kafka: {
      brokers: ['my-cluster-kafka-bootstrap:9093', 'other:9094'],
      tls: { enabled: true, caFile: `${SECRETS}/my-cluster-cluster-ca-cert/ca.crt` },
      groupPrefix: 'mail',
    },
    registry: { url: 'https://registry.example.com/apis/ccompat/v7' },
    topics: { rawPartitions: 12, partitions: 18 },
    tracing: { url: 'https://traces.example.com:4318/v1/traces' },
    sources: { shop: { esp: 'sendgrid', secrets: [`file:${SECRETS}/sources/shop`] } },
    sinks: {
      clickhouse: {
        url: 'https://clickhouse.example.com:8443',
        username: 'email_events',
        password: `file:${SECRETS}/clickhouse/password`,
      },
      crm: {
        url: 'https://crm.example.com/suppressions',
        secrets: [`file:${SECRETS}/crm/secret`],
        others: { second: { kind: 'http', url: 'https://second.example.com:9443/' } },
      },
      lookup: { tokens: [`file:${SECRETS}/lookup/token`] },
    },
    alerts: { http: { url: 'https://alerts.example.com:9445/', secrets: [`file:${SECRETS}/alerts/secret`] } },
  },
  secrets: [
    { existingSecret: 'sources', for: ['ingress'] },
    { existingSecret: 'clickhouse', for: ['sink-clickhouse', 'migrations'] },
    { existingSecret: 'crm', for: ['sink-crm'] },
    { existingSecret: 'lookup', for: ['lookup'] },
    { existingSecret: 'alerts', for: ['alerts'] },
    { existingSecret: 'my-cluster-cluster-ca-cert' },
  ],
  kafkaUsers: { enabled: true },
  imagePullSecrets: [{ name: 'registry' }],
  image: { repository: 'registry.example.com/email-events', digest: `sha256:${'0a'.repeat(32)}` },
  defaults: {
    storage: { storageClass: 'fast' },
    nodeSelector: { disk: 'ssd' },
    tolerations: [{ key: 'mail', operator: 'Exists' }],
    priorityClassName: 'high',
    podAnnotations: { note: 'a' },
    podLabels: { team: 'mail' },
    env: [{ name: 'NODE_OPTIONS', value: '--max-old-space-size=400' }],
  },
  services: {
    ingress: {
      tlsSecret: 'webhooks-tls',
      autoscaling: { by: 'cpu', maxReplicas: 9 },
      http: { type: 'LoadBalancer', loadBalancerSourceRanges: ['192.0.2.0/24'] },
    },
    normalize: { autoscaling: { by: 'lag' } },
    events: { autoscaling: { by: 'lag', authenticationRef: 'kafka', maxReplicas: 12 } },
    'sink-clickhouse': { autoscaling: { by: 'lag', minReplicas: 1 } },
    'sink-crm': { autoscaling: { by: 'lag', minReplicas: 1 } },
    alerts: { autoscaling: { by: 'lag', minReplicas: 1 } },
    lookup: {
      tlsSecret: 'lookup-tls',
      autoscaling: { by: 'cpu' },
      http: { clients: [{ podSelector: { matchLabels: { app: 'mailer' } } }] },
      egress: [{ to: [{ ipBlock: { cidr: '192.0.2.0/24' } }] }],
    },
  },
  hooks: { topics: { enabled: false } },
  networkPolicy: {
    peers: {
      dns: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'kube-system' } } }],
      kafka: [{ podSelector: { matchLabels: { 'strimzi.io/cluster': 'my-cluster' } } }],
    },
  },
  monitoring: {
    serviceMonitor: { enabled: true, labels: { release: 'prometheus' } },
    rules: { enabled: true, labels: { release: 'prometheus' } },
  },
};

const behindRoute = {
  ...smallest,
  services: {
    ingress: {
      http: {
        route: {
          enabled: true,
          className: 'nginx',
          host: 'hooks.example.com',
          tlsSecret: 'hooks-tls',
          annotations: { 'nginx.ingress.kubernetes.io/proxy-body-size': '8m' },
        },
      },
    },
  },
};

const small = {
  config: {
    ...smallest.config,
    adminHost: '0.0.0.0',
    ingress: { trustedProxies: ['10.0.0.0/8'], adminPort: 9180, port: 8180, spool: { enabled: false } },
    topics: { replicationFactor: 1, minInsyncReplicas: 1 },
  },
  defaults: { replicas: 1, storage: { enabled: false } },
  serviceAccount: { create: false, name: 'given' },
  networkPolicy: { enabled: false },
  hooks: { topics: { enabled: false }, schemas: { enabled: false }, migrations: { enabled: false } },
  fullnameOverride: 'mail',
};

export const CASES: { readonly [name: string]: Values } = {
  'the smallest': smallest,
  'everything that can be switched on': whole,
  'behind an ingress controller': behindRoute,
  'one of each, without volumes, policies and hooks': small,
};

const and = (values: Values): Values => ({ ...smallest, ...values });
const withConfig = (config: Values): Values => ({ config: { ...smallest.config, ...config } });

/** Values that must be refused, and what of the message says why. */
export const REFUSED: readonly (readonly [Values, RegExp])[] = [
  [{ config: { ingress: { trustedProxies: ['10.0.0.0/8'] } } }, /no webhook/],
  [withConfig({ ingress: {} }), /serves no plain HTTP beyond loopback/],
  [and({ replicaCount: 3 }), /replicaCount/],
  [and({ services: { nomalize: {} } }), /nomalize/],
  [and({ services: { normalize: { replicas: -1 } } }), /replicas/],
  [and({ services: { normalize: { replicas: '2' } } }), /replicas/],
  [and({ services: { normalize: { replicas: 7 } } }), /7 instances of which 1 have nothing to do/],
  [and({ services: { events: { autoscaling: { by: 'lag', maxReplicas: 8 } } } }), /8 instances of which 2/],
  [and({ services: { ingress: { autoscaling: { by: 'lag' } } } }), /lag is for what reads topics/],
  [and({ services: { ingress: { autoscaling: { by: 'memory' } } } }), /autoscaling.*by/],
  [and({ services: { ingress: { autoscaling: { by: 'cpu', minReplicas: 9 } } } }), /minReplicas 9 is more/],
  [and({ services: { ingress: { autoscaling: { by: 'cpu', minReplicas: 0 } } } }), /minReplicas/],
  [and({ services: { ingress: { storage: { enabled: false } } } }), /what was acknowledged/],
  [and({ services: { ingress: { storage: { size: 'plenty' } } } }), /size/],
  [and({ services: { ingress: { http: { route: { enabled: true } } } } }), /which host/],
  [and({ image: { digest: 'latest' } }), /digest/],
  [and({ secrets: [{ name: 'sources' }] }), /existingSecret|name/],
  [and({ secrets: [{ existingSecret: 'sources', for: ['ingres'] }] }), /for/],
  [withConfig({ kafka: { broker: ['a:9092'] } }), /broker/],
  [withConfig({ sources: { shop: { secrets: [] } } }), /esp/],
  [withConfig({ sources: { Shop: { esp: 'sendgrid' } } }), /Shop/],
  [withConfig({ topics: { partitions: 'many' } }), /partitions/],
];
