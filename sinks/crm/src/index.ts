export * from './adapter.ts';
export { createHttpAdapter, type HttpAdapterOptions, type SuppressionBody } from './adapters/http.ts';
export { createAdapter } from './adapters/index.ts';
export { CrmError, type CrmFailure } from './errors.ts';
export { startCrmSink } from './service.ts';
export { checkCrmSettings } from './settings.ts';
export { type CrmSink, type CrmSinkOptions, createCrmSink } from './sink.ts';
