export { startEvents } from './events/service.ts';
export { type Normalized, normalizeRecord } from './normalize/normalize-record.ts';
export { startNormalize } from './normalize/service.ts';
export { checkSourceFields, normalizeSettings, readingOf } from './normalize/settings.ts';
