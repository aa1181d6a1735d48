import { adminPort, type ConfigWith, count, ms, NAME, secret, z } from '@email-events/core/config';

export const SERVICE = 'sink-crm';
/** Said by the service if its section is left out. */
export const ABSENT = 'no CRM is configured, and this service is for one';

export const crmSection = z
  .strictObject({
    adminPort: adminPort(9084),
    kind: z
      .string()
      .regex(NAME, 'must be lower-case letters, digits and hyphens, at most 63')
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
    dryRun: z.boolean().default(false).describe('Log what would be sent, send nothing.'),
  })
  .optional()
  .describe('Suppressions to the CRM; leave out for none.');

export type CrmConfig = ConfigWith<'sinks.crm', typeof crmSection>;
