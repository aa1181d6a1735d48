import { alertsSection } from './config.ts';
import type { RuleSettings } from './rules.ts';
import type { MailWindows, Reported } from './windows.ts';

export const AT = Date.UTC(2026, 4, 13, 12, 0, 30);
export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

/** As they are without a word in the configuration. */
export function settingsOf(
  changed: Partial<RuleSettings> = {},
): RuleSettings & { readonly evaluateMs: number } {
  const settings = alertsSection.parse({});
  if (!settings) throw new Error('the section has defaults');
  return { ...settings, ...changed };
}

export const reported = (type: string, of: Partial<Reported> = {}): Reported => ({
  ...{
    type,
    esp: 'sendgrid',
    source: 'main',
    stream: 'news',
    recipient_domain: 'gmail.com',
    received_at: AT,
  },
  ...of,
});

/** Adds so many of one kind. */
export function add(
  windows: MailWindows,
  count: number,
  type: string,
  of: Partial<Reported> = {},
  now = AT,
): void {
  for (let i = 0; i < count; i++) windows.add(reported(type, of), now);
}
