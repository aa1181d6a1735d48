import { adminPort, type ConfigWith, count, section, z } from '@email-events/core/config';

export const eventsSection = section(
  {
    adminPort: adminPort(9082),
    concurrency: count(3, 'Partitions handled at a time.'),
    stateDir: z
      .string()
      .default('.email-events/state')
      .describe('Folder of the local stores. Losing it costs a restore, nothing else.'),
    softBounces: section(
      {
        threshold: z
          .int()
          .min(1)
          .max(32)
          .default(5)
          .describe('Consecutive soft bounces that suppress a recipient.'),
        windowDays: count(30, 'Days within which they must fall.'),
      },
      'When soft bounces suppress.',
    ),
  },
  'The events processor: dedupe, suppress, route.',
);

export type EventsConfig = ConfigWith<'events', typeof eventsSection>;
