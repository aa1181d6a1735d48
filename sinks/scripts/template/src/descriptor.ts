import { defineService } from '@email-events/core/service';
import { eventTopics, topics } from '@email-events/schemas';
import { NDJSON_FILES_CODES } from './codes.ts';
import { ABSENT, ndjsonFilesSection, SERVICE } from './config.ts';

export const ndjsonFilesSink = defineService({
  name: SERVICE,
  title: 'writes events into files',
  section: 'sinks.ndjsonFiles',
  config: ndjsonFilesSection,
  absent: ABSENT,
  reads: ['kafka', 'registry'],
  codes: NDJSON_FILES_CODES,
  entry: 'sinks/ndjson-files/src/main.ts',
  consumes: { as: 'sink', topics: [...eventTopics, topics.replays] },
  writes: [topics.deadLetters],
  async load() {
    const { startNdjsonFilesSink } = await import('./service.ts');
    return { start: startNdjsonFilesSink };
  },
});
