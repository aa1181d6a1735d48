import type { PipelineConfig } from '@email-events/core';

/** What a source may do to suppressions (`sources.<name>.suppresses` and `.lifts`). */
export interface SourcePolicy {
  readonly suppresses: 'all' | 'own-streams' | 'nothing';
  readonly lifts: 'own' | 'all';
}

/** Never throws, whatever the name. */
export type PolicyOf = (source: string) => SourcePolicy;

/** Of a source that the configuration does not name (any more). */
export const DEFAULT_POLICY: SourcePolicy = { suppresses: 'all', lifts: 'own' };

export function policiesOf(sources: PipelineConfig['sources']): PolicyOf {
  // A map, since a name may be that of a property which every object has.
  const policies = new Map<string, SourcePolicy>(Object.entries(sources));
  return (source) => policies.get(source) ?? DEFAULT_POLICY;
}
