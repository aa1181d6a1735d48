export * from './adapter.ts';
export { type Budget, DEFAULT_BUDGET, FREE_OUTPUT_BYTES, Spending } from './budget.ts';
export { isGzip, unpackedRequest } from './content-encoding.ts';
export { type Origin, toEmailEvent } from './event.ts';
export { DEFAULT_TIME_BOUNDS, type TimeBounds } from './event-time.ts';
export { IDENTITY_VERSION } from './identity.ts';
export { type InspectedEvent, type InspectInput, type Inspection, inspectRequest } from './inspect.ts';
export { type ItemResult, type NormalizedRequest, normalizeRequest, readItems } from './normalize.ts';
export { adapters, findAdapter } from './registry.ts';
