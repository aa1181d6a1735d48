export { IngressMetrics } from '../ingress-metrics.ts';
export { SpoolMetrics } from '../spool/spool-metrics.ts';
