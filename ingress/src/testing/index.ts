export { IngressMetrics } from '../ingress-metrics.ts';
export { KafkaQuarantine } from '../quarantine/quarantine.ts';
export { SpoolMetrics } from '../spool/spool-metrics.ts';
