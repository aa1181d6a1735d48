import { serviceMain } from '@email-events/core';
import { startEvents } from './service.ts';

await serviceMain('events', startEvents, { reads: ['kafka', 'registry', 'topics', 'events'] });
