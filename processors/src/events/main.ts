import { serviceMain } from '@email-events/core';
import { eventsService } from './descriptor.ts';

await serviceMain(eventsService);
