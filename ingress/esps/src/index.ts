export * from './adapter.ts';
export { type Origin, toEmailEvent } from './event.ts';
export { type InspectedEvent, type InspectInput, type Inspection, inspectRequest } from './inspect.ts';
export { type ItemResult, type NormalizedRequest, normalizeRequest } from './normalize.ts';
export { adapters, findAdapter } from './registry.ts';
