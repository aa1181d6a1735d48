import { defineService } from '@email-events/core/service';
import { eventTopics, topics } from '@email-events/schemas';
import { EVENTS_CODES } from './codes.ts';
import { eventsSection } from './config.ts';

export const eventsService = defineService({
  name: 'events',
  title: 'drops duplicates, keeps suppressions, routes by type',
  section: 'events',
  config: eventsSection,
  // Of the sources it needs what they may suppress and lift, never a secret.
  reads: ['kafka', 'registry', 'topics'],
  codes: EVENTS_CODES,
  entry: 'processors/src/events/main.ts',
  consumes: { as: 'processor', topics: [topics.normalized] },
  restores: [topics.seen, topics.recipientState],
  writes: [
    ...[topics.seen, topics.recipientState, ...eventTopics, topics.suppressions],
    ...[topics.operatorActions, topics.deadLetters],
  ],
  disk: { name: 'state', field: 'stateDir', holds: 'copies' },
  async load() {
    const { startEvents } = await import('./service.ts');
    return { start: startEvents };
  },
});
