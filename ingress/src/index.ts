export { WEBHOOK_PATH } from './app.ts';
export { INGRESS_CODES, type IngressCode } from './codes.ts';
export { checkIngressConfig } from './config-check.ts';
export { startIngress } from './service.ts';
export type { IngressStatus, RequestCounts, SourceReport, SpoolReport } from './status.ts';
