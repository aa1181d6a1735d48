import { serviceMain } from '@email-events/core';
import { clickhouseSink } from './descriptor.ts';

await serviceMain(clickhouseSink);
