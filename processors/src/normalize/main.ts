import { serviceMain } from '@email-events/core';
import { normalizeService } from './descriptor.ts';

await serviceMain(normalizeService);
