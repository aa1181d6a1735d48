export { createEngagementMetrics } from '../engagement-metrics.ts';
export { createCrmMetrics } from '../metrics.ts';
export * from './connected.ts';
export * from './harness.ts';
export * from './limits.ts';
export * from './values.ts';
