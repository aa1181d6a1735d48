import { serviceMain } from '@email-events/core';
import { startNormalize } from './service.ts';

// Of the sources it reads options, never a secret.
await serviceMain('normalize', startNormalize, { reads: ['kafka', 'registry', 'topics', 'normalize'] });
