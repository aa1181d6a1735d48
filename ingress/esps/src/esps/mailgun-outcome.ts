import type { EmailDropped, EventType } from '@email-events/schemas';
import type { EspEvent } from '../adapter.ts';
import { bounceVerdict, type VendorWord } from '../reading/bounce.ts';
import { firstText, integer, text } from '../reading/fields.ts';
import { type JsonObject, objectOf } from '../reading/json.ts';
import { smtpFacts } from '../reading/smtp.ts';
import { LEGACY_EVENT_TYPES } from './mailgun-legacy.ts';

// What became of a message: Mailgun says it with a type, a severity, a reason and a code of its own or of SMTP.
// Seen 2026-11: https://documentation.mailgun.com/docs/mailgun/user-manual/events/event-structure

export const EVENT_TYPES = {
  accepted: 'queued',
  delivered: 'delivered',
  failed: 'bounced',
  rejected: 'dropped',
  opened: 'opened',
  clicked: 'clicked',
  unsubscribed: 'unsubscribed',
  complained: 'complained',
  stored: 'other',
} as const satisfies { [vendor: string]: EventType };
const TYPES: ReadonlyMap<string, EventType> = new Map(
  Object.entries({ ...EVENT_TYPES, ...LEGACY_EVENT_TYPES }),
);

/** Never attempted, because of what Mailgun remembers of the address. */
const SUPPRESSED: ReadonlyMap<string, EmailDropped['drop_reason']> = new Map([
  ['suppress-bounce', 'bounced'],
  ['suppress-complaint', 'complained'],
  ['suppress-unsubscribe', 'unsubscribed'],
  ['605', 'bounced'],
  ['606', 'unsubscribed'],
  ['607', 'complained'],
  ['625', 'complained'],
]);

/** What became of the attempt. Code and text come in several spellings. */
export interface Status {
  readonly reason: string | null;
  readonly diagnostic: string | null;
  /** It calls the failure a bounce, not just permanent. */
  readonly bounced: boolean;
  readonly detail: JsonObject;
}

export function statusOf(event: JsonObject): Status {
  const detail = objectOf(event['delivery-status']);
  return {
    reason: text(event.reason),
    diagnostic: firstText(detail.message, detail.description, objectOf(event.reject).reason),
    bounced: text(event.reason) === 'bounce' || text(event.event) === 'bounced',
    detail,
  };
}

export function typeOf(event: JsonObject, status: Status): EventType {
  const vendorType = text(event.event)?.toLowerCase() ?? '';
  // The forms say "dropped" also of what Mailgun tried for hours; the JSON, and we, call that a failure.
  if (vendorType === 'dropped' && status.reason === 'old') return 'bounced';
  if (vendorType !== 'failed') return TYPES.get(vendorType) ?? 'other';
  if (text(event.severity)?.toLowerCase() === 'temporary') return 'deferred';
  return suppressionOf(status) ? 'dropped' : 'bounced';
}

function suppressionOf({ reason, detail }: Status): EmailDropped['drop_reason'] | undefined {
  return SUPPRESSED.get(reason ?? '') ?? SUPPRESSED.get(text(detail.code) ?? '');
}

export function failure({ detail, diagnostic, reason }: Status): Partial<EspEvent> {
  const smtp = smtpFacts(diagnostic, ownCode(detail) ? null : detail.code, detail['enhanced-code']);
  return {
    smtp_code: smtp.code,
    enhanced_status: smtp.enhanced,
    diagnostic: diagnostic ?? reason,
  };
}

export function bounce(status: Status): Pick<EspEvent, 'bounce_class' | 'bounce_category'> {
  const { detail, diagnostic } = status;
  const smtp = smtpFacts(diagnostic, ownCode(detail) ? null : detail.code, detail['enhanced-code']);
  const verdict = bounceVerdict(smtp, diagnostic, wordOf(status));
  // That attempts are used up makes nothing final: the last answer was one to come again.
  return gaveUp(status) && verdict.bounce_class === 'hard'
    ? { ...verdict, bounce_class: 'undetermined' }
    : verdict;
}

/** "Permanent" says that Mailgun has stopped trying, whatever the cause; only "bounce" is about the address. */
function wordOf(status: Status): VendorWord {
  const { detail, reason, bounced } = status;
  if (gaveUp(status)) return { says: 'nothing', category: 'timeout' };
  // The receiver's filter refused this message.
  if (reason === 'espblock') return { says: 'message', category: 'policy' };
  if (text(detail['bounce-type'])?.toLowerCase() === 'soft') return { says: 'soft' };
  return { says: bounced ? 'hard' : undefined };
}

function gaveUp({ detail, reason }: Status): boolean {
  return reason === 'old' || ownCode(detail);
}

/** 498 and 499 are Mailgun's own: it gave up after too many attempts. */
function ownCode(detail: JsonObject): boolean {
  const code = integer(detail.code);
  return code === 498 || code === 499;
}

export function dropReason(status: Status): EmailDropped['drop_reason'] {
  const { diagnostic, reason } = status;
  const suppression = suppressionOf(status);
  if (suppression) return suppression;
  const words = `${reason ?? ''} ${diagnostic ?? ''}`;
  if (/spam/i.test(words)) return 'spam';
  return /content|virus|attachment/i.test(words) ? 'content' : 'other';
}
