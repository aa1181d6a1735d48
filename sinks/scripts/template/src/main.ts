import { serviceMain } from '@email-events/core';
import { ndjsonFilesSink } from './descriptor.ts';

await serviceMain(ndjsonFilesSink);
