import { adminPort, type ConfigWith, count, ms, NAME, secret, z } from '@email-events/core/config';
import { topics } from '@email-events/schemas';

export const SERVICE = 'sink-crm';
/** Said by the service if its section is left out. */
export const ABSENT = 'no CRM is configured, and this service is for one';

const MISNAMED = 'must be lower-case letters, digits and hyphens, at most 63';

/** What is told to a CRM of a recipient's engagement, each as the instant at which it last happened. */
export const ENGAGEMENTS = ['delivered', 'opened', 'clicked'] as const;

export const ENGAGEMENT_TOPICS: readonly string[] = [
  ...ENGAGEMENTS.map((name) => topics.events(name)),
  // For its tombstones: what is still to be written of an erased recipient is not.
  topics.suppressions,
];

/** What every CRM takes as the name of a field. */
const field = (fallback: string, what: string) =>
  z
    .string()
    .regex(/^[A-Za-z][A-Za-z0-9_]{0,49}$/, 'must be a letter, then letters, digits and _, at most 50')
    .default(fallback)
    .describe(`Field for when ${what}.`);

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
  engagement: z
    .strictObject({
      fields: z
        .strictObject({
          delivered: field('email_last_delivered', 'mail was last delivered'),
          opened: field('email_last_opened', 'mail was last opened, by a person where the ESP tells'),
          clicked: field('email_last_clicked', 'a link was last clicked, by a person where the ESP tells'),
        })
        .prefault({})
        .describe('Fields of the CRM. They must be there, but where it makes them itself (sinks/crm).'),
      everyMs: ms(60_000, 'Time over which a recipient’s events are gathered into one write.'),
      share: z
        .number()
        .min(0.01)
        .max(0.9)
        .default(0.2)
        .describe('Part of the CRM’s limit for it, at most; it waits while suppressions wait.'),
    })
    .optional()
    .describe('Tells the CRM when mail was last delivered, opened and clicked; leave out for no.'),
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

/** Names the consumer of a CRM’s engagement. No CRM can have this name, which has a dot. */
export const engagementOf = (consumer: string): string => `${consumer}.engagement`;

export const isEngagement = (consumer: string): boolean => consumer.endsWith('.engagement');

/** Consumers beside that of the section itself: those of the further CRMs, and those of engagement. */
export function furtherConsumers({ sinks: { crm } }: CrmConfig): readonly string[] {
  if (!crm) return [];
  const { others = {} } = crm;
  const engaged = [crm, ...Object.values(others)].map(({ engagement }) => engagement !== undefined);
  const consumers = [undefined, ...Object.keys(others)].map(consumerOf);
  return [...consumers.slice(1), ...consumers.filter((_, index) => engaged[index]).map(engagementOf)];
}
