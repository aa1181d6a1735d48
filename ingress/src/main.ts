import { serviceMain } from '@email-events/core';
import { checkIngressConfig, startIngress } from './index.ts';

await serviceMain('ingress', startIngress, {
  reads: ['kafka', 'sources', 'ingress'],
  checks: [checkIngressConfig],
});
