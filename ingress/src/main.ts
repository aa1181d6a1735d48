import { serviceMain } from '@email-events/core';
import { ingressService } from './descriptor.ts';

await serviceMain(ingressService);
