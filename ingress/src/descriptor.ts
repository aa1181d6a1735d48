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
  // The size of the young generation: with 64 MB the process had 384 MB under full load, with 16 318, at the same CPU (0.99 and 0.89 of it at 128 and 32 connections) and a p99
  // no higher. With 8, and an old one of 192, it had 165 MB, and took a fifth more CPU.
  nodeArgs: ['--max-semi-space-size=16'],
  writes: [topics.raw, topics.quarantine],
  disk: { name: 'spool', field: 'spool.dir', holds: 'originals' },
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
