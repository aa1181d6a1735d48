import { serviceMain } from '@email-events/core';
import { startCrmSink } from './service.ts';
import { checkCrmSettings, crmSettings } from './settings.ts';

await serviceMain('sink-crm', startCrmSink, {
  reads: ['kafka', 'registry', 'sinks.crm'],
  checks: [crmSettings, checkCrmSettings],
});
