import cluster from 'node:cluster';
import { defineService } from '@email-events/core/service';
import { topics } from '@email-events/schemas';
import { INGRESS_CODES } from './codes.ts';
import { ingressFindings, ingressSection } from './config.ts';

export const ingressService = defineService({
  name: 'ingress',
  title: 'takes the webhooks',
  section: 'ingress',
  config: ingressSection,
  findings: ingressFindings,
  ports: { port: 'host' },
  reads: ['kafka', 'sources'],
  codes: Object.fromEntries(Object.entries(INGRESS_CODES).map(([code, { doc }]) => [code, doc])),
  entry: 'ingress/src/main.ts',
  // What a request leaves behind is taken away soon: with a young generation of 64 MB and an old one that may grow to a multiple of what lives
  // in it, the process had 345 MB under full load, and no more requests.
  nodeArgs: ['--max-semi-space-size=8', '--heap-growing-percent=30', '--initial-old-space-size=40'],
  writes: [topics.raw],
  async load() {
    const [{ startIngress }, { startWorkers }] = await Promise.all([
      import('./service.ts'),
      import('./workers/workers.ts'),
    ]);
    return {
      start: (service) =>
        service.config.ingress.workers > 1 && cluster.isPrimary
          ? startWorkers(service)
          : startIngress(service),
    };
  },
  async loadCheck() {
    const { checkIngressConfig } = await import('./config-check.ts');
    return { check: (config) => checkIngressConfig(config) };
  },
});
