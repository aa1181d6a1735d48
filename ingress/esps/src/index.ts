export * from './adapter.ts';
export { type Budget, DEFAULT_BUDGET, FREE_OUTPUT_BYTES, Spending } from './budget.ts';
export { isGzip, unpackedRequest } from './content-encoding.ts';
export { type Origin, toEmailEvent } from './event.ts';
export { DEFAULT_TIME_BOUNDS, type TimeBounds } from './event-time.ts';
export { type FieldOrigins, MAX_FIELD_LENGTH } from './fields/map.ts';
export {
  type FieldMapping,
  type FieldSettings,
  fieldMapping,
  fieldPath,
  MAPPED_FIELDS,
  type PathProblem,
  spellingProblems,
} from './fields/paths.ts';
export { fieldProblems } from './fields/problems.ts';
export { IDENTITY_VERSION } from './identity.ts';
export { type InspectedEvent, type InspectInput, type Inspection, inspectRequest } from './inspect.ts';
export { type ItemResult, type NormalizedRequest, normalizeRequest, readItems } from './normalize.ts';
export { adapters, findAdapter } from './registry.ts';
export { type SettingProblem, SettingsError } from './schemes/settings.ts';
