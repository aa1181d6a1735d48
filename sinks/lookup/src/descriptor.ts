import { defineService } from '@email-events/core/service';
import { topics } from '@email-events/schemas';
import { LOOKUP_CODES } from './codes.ts';
import { ABSENT, lookupFindings, lookupSection, SERVICE } from './config.ts';

export const lookupService = defineService({
  name: SERVICE,
  title: 'says whether an address may be mailed',
  section: 'sinks.lookup',
  config: lookupSection,
  findings: lookupFindings,
  ports: { port: 'host' },
  absent: ABSENT,
  reads: ['kafka', 'registry'],
  codes: LOOKUP_CODES,
  entry: 'sinks/lookup/src/main.ts',
  // Every instance has all states, so it is in no group.
  restores: [topics.suppressions],
  writes: [],
  async load() {
    const { startLookup } = await import('./service.ts');
    return { start: startLookup };
  },
  async loadCheck() {
    const { checkTokens } = await import('./tokens.ts');
    return { check: checkTokens };
  },
});
