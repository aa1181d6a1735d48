import { serviceMain } from '@email-events/core';
import { checkIngressConfig, startIngress } from './index.ts';

await serviceMain('ingress', startIngress, checkIngressConfig);
