import {
  type ConfigWith,
  count,
  type Finding,
  isLoopbackHost,
  ms,
  adminPort as port,
  secret,
  section,
  z,
} from '@email-events/core/config';
import { MAX_MINUTES } from './windows.ts';

export const SERVICE = 'alerts';
/** Reads what it told, to send it to a webhook: in a group of its own, so that a receiver that is down holds up nothing else. */
export const HTTP_CONSUMER = 'alerts-http';
/** Said by the service if its section is left out. */
export const ABSENT = 'no alerts on the mail are configured, and this service is for them';

const rate = (fallback: number, description: string) =>
  z.number().gt(0).max(1).default(fallback).describe(description);

const thresholds = (warning: number, critical: number, description: string) =>
  section(
    { warning: rate(warning, 'Warns above.'), critical: rate(critical, 'Is critical above.') },
    description,
  );

export const alertsSection = z
  .strictObject({
    adminPort: port(9086),
    evaluateMs: ms(15_000, 'How often the mail is judged.'),
    windowMinutes: z
      .int()
      .min(15)
      .max(MAX_MINUTES)
      .default(60)
      .describe('Minutes in which bounces and deferrals are counted, by when they were received.'),
    minVolume: count(
      100,
      'Messages, or attempts, that a rate needs to be judged; complaints need ten times as many.',
    ),
    minEvents: count(5, 'Bounces, complaints or deferrals that it needs.'),
    bounceRate: thresholds(
      0.05,
      0.1,
      'Bounces of all that was delivered or bounced; ESPs review accounts at 5 %, and stop them at 10 %.',
    ),
    complaintRate: thresholds(
      0.001,
      0.003,
      'Complaints of what was delivered, within 24 hours: Gmail and Yahoo want less than 0.1 %, and 0.3 % is too much for both.',
    ),
    deferralRate: thresholds(0.2, 0.5, 'Deferrals of all attempts.'),
    blockedRate: rate(
      0.5,
      'Refusals and deferrals of one mailbox provider, of all attempts in 15 minutes, above which it blocks.',
    ),
    rise: z
      .number()
      .min(1.5)
      .max(100)
      .default(3)
      .describe(
        'How many times its rate of the 24 hours before makes a rate an alert, from half a warning on.',
      ),
    resolveMinutes: z
      .int()
      .min(0)
      .max(1_440)
      .default(15)
      .describe('Minutes below four fifths of what it fired at after which an alert is over.'),
    silenceMinutes: z
      .int()
      .min(15)
      .max(1_440)
      .default(60)
      .describe(
        'Minutes without a report after which a source is silent, if it talks at that time on other days.',
      ),
    http: z
      .strictObject({
        url: z.url().describe('Where alerts are posted.'),
        secrets: z
          .array(secret('A signing secret (Standard Webhooks): whsec_ and 24 to 64 bytes in base64.'))
          .default([])
          .describe('Signing secrets: a call carries one signature for each.'),
        timeoutMs: ms(10_000, 'Time for the receiver to answer.'),
      })
      .optional()
      .describe('Alerts by signed HTTP too; leave out for the topic alone.'),
  })
  .optional()
  .describe(
    'Alerts on the mail itself: bounces, complaints, deferrals, blocks, silence; leave out for none.',
  );

export type AlertsConfig = ConfigWith<'alerts', typeof alertsSection>;
export type AlertsSettings = NonNullable<AlertsConfig['alerts']>;

export function alertsFindings({ alerts, plaintextHosts }: AlertsConfig): Finding[] {
  if (!alerts) return [];
  const found: Finding[] = [];
  for (const name of ['bounceRate', 'complaintRate', 'deferralRate'] as const) {
    const { warning, critical } = alerts[name];
    const path = `alerts.${name}.warning`;
    const compared = [`alerts.${name}.critical`];
    if (warning >= critical)
      found.push({ level: 'refuse', path, message: 'must be below critical', compared });
  }
  const url = alerts.http && URL.parse(alerts.http.url);
  const path = 'alerts.http.url';
  if (url && (url.username !== '' || url.password !== ''))
    found.push({ level: 'refuse', path, message: 'must not hold credentials: it is logged' });
  const isPlain = url && url.protocol !== 'https:';
  if (isPlain && !isLoopbackHost(url.hostname) && !plaintextHosts.includes(url.hostname.toLowerCase())) {
    const message = `alerts would go to ${url.hostname} unencrypted: use https, or name the host in plaintextHosts`;
    found.push({ level: 'refuse', path, message, compared: ['plaintextHosts'] });
  }
  return found;
}

/** Consumers beside that of the service itself. */
export const furtherConsumers = ({ alerts }: AlertsConfig): readonly string[] =>
  alerts?.http ? [HTTP_CONSUMER] : [];
