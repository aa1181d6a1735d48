import { readFileSync, writeFileSync } from 'node:fs';
import { describedMetrics } from '../src/declared-metrics.ts';
import { metricsTable, withTable } from '../src/metrics-page.ts';

const page = new URL('../../deploy/METRICS.md', import.meta.url);
writeFileSync(page, withTable(readFileSync(page, 'utf8'), metricsTable(describedMetrics())));
