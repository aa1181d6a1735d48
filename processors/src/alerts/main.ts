import { serviceMain } from '@email-events/core';
import { alertsService } from './descriptor.ts';

await serviceMain(alertsService);
