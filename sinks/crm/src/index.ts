export { createHttpAdapter, type HttpAdapterOptions, type SuppressionBody } from './adapters/http.ts';
export { crms } from './adapters/index.ts';
export * from './capabilities.ts';
export * from './crm.ts';
export { CrmError, type CrmFailure } from './errors.ts';
export { paceOf, SharedPace } from './pace.ts';
export { startCrmSink } from './service.ts';
export { type ConfiguredCrm, checkCrmSettings, configuredCrms, crmOf } from './settings.ts';
export { type CrmSink, type CrmSinkOptions, createCrmSink } from './sink.ts';
