import { serviceMain } from '@email-events/core';
import { startNormalize } from './service.ts';
import { checkSourceFields } from './settings.ts';

// Of the sources it reads how their events are read, never a secret.
await serviceMain('normalize', startNormalize, {
  reads: ['kafka', 'registry', 'topics', 'normalize'],
  checks: [checkSourceFields],
});
