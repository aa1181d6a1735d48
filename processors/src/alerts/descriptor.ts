import { defineService } from '@email-events/core/service';
import { eventTopics, topics } from '@email-events/schemas';
import { ALERTS_CODES } from './codes.ts';
import { ABSENT, alertsFindings, alertsSection, furtherConsumers, SERVICE } from './config.ts';

export const alertsService = defineService({
  name: SERVICE,
  title: 'tells when the mail itself is in trouble',
  section: 'alerts',
  config: alertsSection,
  findings: alertsFindings,
  absent: ABSENT,
  reads: ['kafka', 'registry', 'topics'],
  codes: ALERTS_CODES,
  entry: 'processors/src/alerts/main.ts',
  // As sinks are: an unreadable record that is put back must come to this service alone.
  consumes: { as: 'sink', topics: [...eventTopics, topics.replays] },
  consumers: furtherConsumers,
  consumersRead: [topics.alerts, topics.replays],
  restores: [topics.alerts, topics.mailWindows],
  writes: [topics.alerts, topics.mailWindows, topics.deadLetters],
  transacts: true,
  async load() {
    const { startAlerts } = await import('./service.ts');
    return { start: startAlerts };
  },
  async loadCheck() {
    const { checkAlerts } = await import('./http-sink.ts');
    return { check: checkAlerts };
  },
});
