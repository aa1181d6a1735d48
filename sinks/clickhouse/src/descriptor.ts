import { passwordFindings } from '@email-events/core/config';
import { defineService } from '@email-events/core/service';
import { eventTopics, topics } from '@email-events/schemas';
import { CLICKHOUSE_CODES } from './codes.ts';
import { clickhouseSection, SERVICE } from './config.ts';

export const clickhouseSink = defineService({
  name: SERVICE,
  title: 'writes the analytics',
  section: 'sinks.clickhouse',
  config: clickhouseSection,
  findings: (config) => [
    ...passwordFindings('sinks.clickhouse', config.sinks.clickhouse, config),
    ...(config.sinks.clickhouse.pseudonyms.enabled && config.erasure.keys.length === 0
      ? [
          {
            level: 'refuse' as const,
            path: 'sinks.clickhouse.pseudonyms.enabled',
            message: 'needs a key in erasure.keys',
          },
        ]
      : []),
  ],
  reads: ['kafka', 'registry'],
  codes: CLICKHOUSE_CODES,
  entry: 'sinks/clickhouse/src/main.ts',
  consumes: {
    as: 'sink',
    topics: [...eventTopics, topics.suppressions, topics.eventMarks, topics.deadLetters, topics.replays],
  },
  writes: [topics.deadLetters],
  async load() {
    const { startClickHouseSink } = await import('./start.ts');
    return { start: startClickHouseSink };
  },
});
