import { type EmailEvent, recipientKey } from '@email-events/schemas';

/** A row of `messages` as a query returns it. */
export interface MessageRow {
  readonly [column: string]: unknown;
}

/** What `messages` must hold of these events, computed here from the events alone, by nothing that ClickHouse knows. Sorted. */
export function expectedMessages(
  events: readonly EmailEvent[],
  by: 'message' | 'campaign' = 'message',
): MessageRow[] {
  const groups = new Map<string, EmailEvent[]>();
  for (const event of new Map(events.map((each) => [each.event_id, each])).values()) {
    if (event.recipient === '' || event.type === 'subscribed' || event.type === 'other') continue;
    const message = messageOf(event);
    // `campaign_messages` tells a message's events apart that name different campaigns.
    const nameless = message === '' || by === 'campaign' ? [event.campaign ?? '', event.variant ?? ''] : [];
    const key = JSON.stringify([event.source, recipientKey(event.recipient), message, ...nameless]);
    groups.set(key, [...(groups.get(key) ?? []), event]);
  }
  return sorted([...groups.values()].map(rowOf));
}

/** In one order, for comparing. */
export const sorted = (rows: readonly MessageRow[]): MessageRow[] =>
  rows
    .map((row) => [orderOf(row), row] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, row]) => row);

const orderOf = ({ source, recipient_key, message, campaign, variant }: MessageRow) =>
  JSON.stringify([source, recipient_key, message, campaign, variant]);

const messageOf = ({ esp_message_id, message_id }: EmailEvent) => esp_message_id || message_id || '';

function rowOf(events: readonly EmailEvent[]): MessageRow {
  const [first] = events;
  if (!first) throw new Error('a message has events');
  const of = (type: EmailEvent['type']) => events.filter((event) => event.type === type);
  const bounces = of('bounced').sort(
    (a, b) => a.occurred_at - b.occurred_at || bytes(a.event_id, b.event_id),
  );
  const hard = bounces.filter(({ bounce_class }) => bounce_class === 'hard');
  const last = bounces.at(-1);
  const complaints = of('complained').filter(({ feedback_type }) => feedback_type !== 'not-spam');
  const sender = greatest(events.map((event) => event.sender));
  return {
    source: first.source,
    esp: greatest(events.map((event) => event.esp)),
    recipient_key: recipientKey(first.recipient),
    recipient_domain: greatest(events.map((event) => event.recipient_domain)),
    mailbox_provider: PROVIDERS[first.recipient_domain] ?? 'other',
    message: messageOf(first),
    message_id: greatest(events.map((event) => event.message_id)),
    campaign: greatest(events.map((event) => event.campaign)),
    variant: greatest(events.map((event) => event.variant)),
    stream: greatest(events.map((event) => event.stream)),
    sender,
    sender_domain: sender.replaceAll(/[<> ]/g, '').toLowerCase().split('@')[1] ?? '',
    subject: greatest(events.map((event) => event.subject)),
    outcome: outcomeOf(events),
    ...span('first_at', 'last_at', events),
    ...span('queued_at', undefined, of('queued')),
    ...span('delivered_at', 'last_delivered_at', of('delivered')),
    deferrals: String(of('deferred').length),
    ...span('deferred_at', 'last_deferred_at', of('deferred')),
    ...span('dropped_at', undefined, of('dropped')),
    drop_reason: greatest(of('dropped').map((event) => event.drop_reason)),
    bounced: String(bounces.length),
    ...span('bounced_at', 'last_bounced_at', bounces),
    ...span('hard_bounced_at', undefined, hard),
    bounce_class: last?.bounce_class ?? '',
    bounce_category: last?.bounce_category ?? '',
    enhanced_status: last?.enhanced_status ?? '',
    smtp_code: last?.smtp_code ?? 0,
    diagnostic: last?.diagnostic ?? '',
    ...reactions('opens', 'opened_at', of('opened')),
    ...reactions('clicks', 'clicked_at', of('clicked')),
    ...span('complained_at', undefined, complaints),
    feedback_type: greatest(complaints.map((event) => event.feedback_type)),
    ...span('unsubscribed_at', undefined, of('unsubscribed')),
    unsubscribe_scope: scopeOf(of('unsubscribed')),
  };
}

/** All mail, if any of them says so. */
function scopeOf(unsubscribes: readonly EmailEvent[]): string {
  const scopes = new Set(unsubscribes.flatMap(({ scope }) => scope || []));
  return scopes.has('all') ? 'all' : [...scopes].sort(bytes).join(', ');
}

/** Of the domains that the tests' events have. */
const PROVIDERS: { readonly [domain: string]: string } = {
  '': '',
  'gmail.com': 'gmail',
  'outlook.de': 'outlook',
  'web.de': 'web_de',
};

/** The last of delivery and bounce decides, a bounce at the same time too. */
function outcomeOf(events: readonly EmailEvent[]): string {
  const has = (type: EmailEvent['type']) => events.some((event) => event.type === type);
  const latest = (type: EmailEvent['type']) =>
    events
      .filter((event) => event.type === type)
      .reduce((at, event) => Math.max(at, event.occurred_at), -Infinity);
  if (has('bounced') && latest('bounced') >= latest('delivered'))
    return events.some(({ type, bounce_class }) => type === 'bounced' && bounce_class === 'hard')
      ? 'hard_bounced'
      : 'soft_bounced';
  const ends = ['delivered', 'dropped', 'deferred', 'queued'] as const;
  return ends.find(has) ?? 'unknown';
}

function reactions(count: string, first: string, events: readonly EmailEvent[]): MessageRow {
  const people = events.filter(({ is_machine }) => is_machine !== true);
  const machines = events.filter(({ is_machine }) => is_machine === true);
  return {
    [count]: String(people.length),
    [`unjudged_${count}`]: String(people.filter(({ is_machine }) => is_machine === null).length),
    [`machine_${count}`]: String(machines.length),
    ...span(first, `last_${first}`, people),
    ...span(`machine_${first}`, `last_machine_${first}`, machines),
  };
}

function span(first: string, last: string | undefined, events: readonly EmailEvent[]): MessageRow {
  const times = events.map(({ occurred_at }) => occurred_at).sort((a, b) => a - b);
  return { [first]: timeText(times[0]), ...(last === undefined ? {} : { [last]: timeText(times.at(-1)) }) };
}

const timeText = (at: number | undefined) =>
  at === undefined ? null : new Date(at).toISOString().replace('T', ' ').replace('Z', '');

const bytes = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b));
const greatest = (texts: readonly (string | null)[]): string =>
  texts.map((text) => text ?? '').reduce((most, text) => (bytes(text, most) > 0 ? text : most), '');
