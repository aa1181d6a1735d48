import { adminPort, type ConfigWith, count, ms, z } from '@email-events/core/config';

export const SERVICE = 'sink-ndjson-files';
/** Said by the service if its section is left out. */
export const ABSENT = 'the section is left out, and this service has nothing to do without it';

export const ndjsonFilesSection = z
  .strictObject({
    adminPort: adminPort(9099),
    folder: z.string().min(1).default('.email-events/ndjson-files').describe('Folder of the files.'),
    batchRows: count(10_000, 'Events after which a lane is written.'),
    batchBytes: count(16_777_216, 'Bytes after which a lane is written.'),
    flushMs: ms(5_000, 'Age of the oldest event after which a lane is written.'),
    concurrency: count(2, 'Batches written at a time.'),
  })
  .optional()
  .describe('Events as lines of files; leave out for none.');

export type NdjsonFilesConfig = ConfigWith<'sinks.ndjsonFiles', typeof ndjsonFilesSection>;
