import { serviceMain } from '@email-events/core';
import { crmSink } from './descriptor.ts';

await serviceMain(crmSink);
