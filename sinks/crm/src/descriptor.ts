import { defineService } from '@email-events/core/service';
import { topics } from '@email-events/schemas';
import { CRM_CODES } from './codes.ts';
import { ABSENT, crmSection, ENGAGEMENT_TOPICS, furtherConsumers, isEngagement, SERVICE } from './config.ts';

export const crmSink = defineService({
  name: SERVICE,
  title: 'sends suppressions to the CRM',
  section: 'sinks.crm',
  config: crmSection,
  absent: ABSENT,
  reads: ['kafka', 'registry'],
  codes: CRM_CODES,
  entry: 'sinks/crm/src/main.ts',
  consumes: { as: 'sink', topics: [topics.suppressions, topics.replays] },
  consumers: furtherConsumers,
  consumersRead: (consumer) => [
    ...(isEngagement(consumer) ? ENGAGEMENT_TOPICS : [topics.suppressions]),
    topics.replays,
  ],
  writes: [topics.deadLetters],
  async load() {
    const { startCrmSink } = await import('./service.ts');
    return { start: startCrmSink };
  },
  async loadCheck() {
    const { checkCrmSettings } = await import('./settings.ts');
    return { check: checkCrmSettings };
  },
});
