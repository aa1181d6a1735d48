import { defineService } from '@email-events/core/service';
import { topics } from '@email-events/schemas';
import { NORMALIZE_CODES } from './codes.ts';
import { normalizeSection } from './config.ts';

export const normalizeService = defineService({
  name: 'normalize',
  title: 'reads what each ESP says',
  section: 'normalize',
  config: normalizeSection,
  // Of the sources it needs how their events are read, never a secret.
  reads: ['kafka', 'registry', 'topics'],
  codes: NORMALIZE_CODES,
  entry: 'processors/src/normalize/main.ts',
  consumes: { as: 'processor', topics: [topics.raw] },
  restores: [topics.tokens],
  writes: [topics.normalized, topics.tokens, topics.deadLetters],
  async load() {
    const { startNormalize } = await import('./service.ts');
    return { start: startNormalize };
  },
  async loadCheck() {
    const { checkSourceFields } = await import('./settings.ts');
    return { check: checkSourceFields };
  },
});
