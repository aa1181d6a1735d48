import { serviceMain } from '@email-events/core';
import { lookupService } from './descriptor.ts';

await serviceMain(lookupService);
