import { serviceMain } from '@email-events/core';
import { startEvents } from './service.ts';

// Of the sources it reads what they may suppress and lift, never a secret.
await serviceMain('events', startEvents, { reads: ['kafka', 'registry', 'topics', 'events'] });
