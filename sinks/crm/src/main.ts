import { serviceMain } from '@email-events/core';
import { startCrmSink } from './service.ts';
import { checkCrmSettings } from './settings.ts';

await serviceMain('sink-crm', startCrmSink, checkCrmSettings);
