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
  // A larger young generation: with many requests at a time it took a quarter off the p99.
  nodeArgs: ['--max-semi-space-size=64'],
  writes: [topics.raw],
  async load() {
    const { startIngress } = await import('./service.ts');
    return { start: startIngress };
  },
  async loadCheck() {
    const { checkIngressConfig } = await import('./config-check.ts');
    return { check: (config) => checkIngressConfig(config) };
  },
});
