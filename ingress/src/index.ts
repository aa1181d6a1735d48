export { WEBHOOK_PATH } from './app.ts';
export { INGRESS_CODES, type IngressCode } from './codes.ts';
export { checkIngressConfig } from './config-check.ts';
export type { IngressStatus, SpoolReport } from './ingress-status.ts';
export { startIngress } from './service.ts';
export type { RequestCounts, SourceReport } from './source-activity.ts';
