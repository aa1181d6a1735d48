export * from './adapter.ts';
export { type Budget, DEFAULT_BUDGET, FREE_OUTPUT_BYTES, Spending } from './budget.ts';
export { isGzip, unpackedRequest } from './content-encoding.ts';
export { DEFAULT_TIME_BOUNDS, type Origin, type TimeBounds, toEmailEvent } from './event.ts';
export { fieldProblems, MAX_FIELD_LENGTH } from './field-mapping.ts';
export {
  type FieldMapping,
  type FieldOrigins,
  type FieldSettings,
  fieldMapping,
  fieldPath,
  MAPPED_FIELDS,
  type PathProblem,
  spellingProblems,
} from './field-paths.ts';
export { IDENTITY_VERSION } from './identity.ts';
export { type InspectedEvent, type InspectInput, type Inspection, inspectRequest } from './inspect.ts';
export { type ItemResult, type NormalizedRequest, normalizeRequest, readItems } from './normalize.ts';
export { adapters, findAdapter } from './registry.ts';
export { type SettingProblem, SettingsError } from './schemes/settings.ts';
