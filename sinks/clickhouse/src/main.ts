import { serviceMain } from '@email-events/core';
import { SERVICE, startClickHouseSink } from './start.ts';

await serviceMain(SERVICE, startClickHouseSink, { reads: ['kafka', 'registry', 'sinks.clickhouse'] });
