export {
  createHttpAdapter,
  type HttpAdapterOptions,
  type SuppressionBody,
  standardWebhook,
} from './adapters/http.ts';
export { crms } from './adapters/index.ts';
export * from './capabilities.ts';
export { ENGAGEMENT_TOPICS, ENGAGEMENTS } from './config.ts';
export * from './crm.ts';
export * from './engagement.ts';
export { createEngagementSink, type EngagementSinkOptions } from './engagement-sink.ts';
export { CrmError, type CrmFailure } from './errors.ts';
export { HttpClient } from './http-client.ts';
export { paceBeside, paceOf, SharedPace } from './pace.ts';
export { type PlannedCall, plannedCalls, plannedErasure } from './plan.ts';
export { startCrmSink } from './service.ts';
export { accountOf, type ConfiguredCrm, checkCrmSettings, configuredCrms, crmOf } from './settings.ts';
export { type CrmSink, type CrmSinkOptions, createCrmSink } from './sink.ts';
