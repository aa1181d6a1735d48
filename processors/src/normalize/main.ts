import { serviceMain } from '@email-events/core';
import { startNormalize } from './service.ts';

await serviceMain('normalize', startNormalize);
