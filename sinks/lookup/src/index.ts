export { startLookup } from './service.ts';
export { type StoredState, SuppressionState } from './state.ts';
