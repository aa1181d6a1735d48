export { startEvents } from './events/service.ts';
export { startNormalize } from './normalize/service.ts';
