import { adminPort, type ConfigWith, count, ms, NAME, secret, z } from '@email-events/core/config';

export const SERVICE = 'sink-crm';
/** Said by the service if its section is left out. */
export const ABSENT = 'no CRM is configured, and this service is for one';

const MISNAMED = 'must be lower-case letters, digits and hyphens, at most 63';

/** What each CRM has. */
const fields = {
  kind: z
    .string()
    .regex(NAME, MISNAMED)
    .default('http')
    .describe('CRM: the name of its adapter, from the table in sinks/crm.'),
  url: z.url().optional().describe('Where the CRM is; leave out for the default of its kind.'),
  secrets: z
    .array(secret('A secret that the CRM knows.'))
    .default([])
    .describe('What the CRM knows the pipeline by, newest first.'),
  options: z
    .record(z.string(), z.unknown())
    .default({})
    .describe('What else the kind needs, from the same table.'),
  timeoutMs: ms(10_000, 'Time for the CRM to answer.'),
  concurrency: count(8, 'Recipients written at a time.'),
  callsPerSecond: z
    .number()
    .positive()
    .max(10_000)
    .optional()
    .describe(
      'Calls a second at most, of all instances together; leave out for what the CRM publishes (sinks/crm).',
    ),
  dryRun: z.boolean().default(false).describe('Log what would be sent, send nothing.'),
};

export const crmSection = z
  .strictObject({
    adminPort: adminPort(9084),
    ...fields,
    others: z
      .record(z.string().regex(NAME, MISNAMED), z.strictObject(fields))
      .default({})
      .describe(
        'Further CRMs by name, each in a consumer group of its own, which has this name: one that is down holds back no other.',
      ),
  })
  .optional()
  .describe('Suppressions to the CRM; leave out for none.');

export type CrmConfig = ConfigWith<'sinks.crm', typeof crmSection>;

/** Names the consumer of a CRM: its group, its client id, and the stage of its dead letters. Undefined: that of the section itself. */
export const consumerOf = (name: string | undefined): string =>
  name === undefined ? SERVICE : `${SERVICE}-${name}`;

/** Consumers of the CRMs beside that of the section itself. */
export const furtherConsumers = ({ sinks: { crm } }: CrmConfig): readonly string[] =>
  Object.keys(crm?.others ?? {}).map(consumerOf);
