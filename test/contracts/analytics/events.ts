import { createRandom } from '@email-events/dev/simulate';
import { type EmailEvent, EVENT_TYPES, type EventType, recipientKey, schemas } from '@email-events/schemas';
import { fixtureFolders, loadFixtures } from '../esp-fixtures.ts';

const AT = Date.UTC(2026, 8, 1, 12);
const DAY = 86_400_000;

/** Everything that any fixture of any ESP comes to, each event once. The source is the ESP's name. */
export function fixtureEvents(): EmailEvent[] {
  const events = new Map<string, EmailEvent>();
  for (const esp of fixtureFolders())
    for (const { fixture } of loadFixtures(esp))
      for (const { type, ...fields } of fixture.expected.events) {
        const event = eventWith(type, { ...fields, source: esp });
        events.set(event.event_id, event);
      }
  return [...events.values()];
}

/**
 * Events of a few messages, in no order: every type, ties in time, messages over the end of a month, ids that the ESP gives or does not, events
 * that name no campaign, machines, people and neither.
 */
export function randomEvents(seed: number, count: number): EmailEvent[] {
  const random = createRandom(seed);
  const messages = Array.from({ length: Math.ceil(count / 10) }, (_, n) => {
    const domain = random.pick(['gmail.com', 'outlook.de', 'web.de', 'shop.example', 'bücher.example']);
    const names = random.pick([
      { esp_message_id: `esp-${n}`, message_id: `${n}@mail.example` },
      { esp_message_id: `esp-${n}`, message_id: null },
      { esp_message_id: null, message_id: `${n}@mail.example` },
      { esp_message_id: null, message_id: null },
    ]);
    const recipient = `Person${random.int(0, 12)}@${domain}`;
    const campaign = random.pick(['autumn', 'winter', null]);
    const stream = random.pick(['news', null]);
    const sender = random.pick(['news@shop.example', 'Shop <News@Mail.Shop.example>', null]);
    return {
      ...names,
      recipient,
      campaign,
      stream,
      sender,
      variant: random.pick(['A', 'B', null]),
      esp: 'ses',
    };
  });
  return Array.from({ length: count }, (_, n) => {
    const { campaign, variant, ...message } = random.pick(messages);
    const type = random.pick(EVENT_TYPES);
    // Whole minutes, so that many happen at the same time.
    const occurred_at = AT + random.int(0, 60) * DAY + random.int(0, 3) * 60_000;
    return eventWith(type, {
      ...message,
      ...(random.chance(0.8) ? { campaign, variant } : {}),
      ...{
        source: random.pick(['main', 'other']),
        event_id: `${seed}-${n}`,
        occurred_at,
        received_at: occurred_at,
      },
      ...(random.chance(0.1) ? { recipient: '' } : {}),
      ...addedOf(type, random),
    });
  });
}

function addedOf(type: EventType, random: ReturnType<typeof createRandom>): Partial<EmailEvent> {
  switch (type) {
    case 'bounced':
      return {
        bounce_class: random.pick(['hard', 'soft', 'undetermined']),
        bounce_category: random.pick(['invalid_mailbox', 'mailbox_full', 'policy']),
        smtp_code: random.pick([550, 452, null]),
        enhanced_status: random.pick(['5.1.1', '4.2.2', null]),
        diagnostic: random.pick(['user unknown', 'quota exceeded', 'Grüße', null]),
      };
    case 'dropped':
      return { drop_reason: random.pick(['bounced', 'unsubscribed', 'spam']) };
    case 'opened':
    case 'clicked':
      return { is_machine: random.pick([true, false, null]), url: 'https://shop.example/' };
    case 'complained':
      return { feedback_type: random.pick(['abuse', 'not-spam', null]) };
    case 'unsubscribed':
      return { scope: random.pick(['all', 'news', 'Weekly']) };
    default:
      return {};
  }
}

/** An event with these fields; the others are as the schema's defaults say, else empty. */
export function eventWith(type: EventType, fields: { readonly [name: string]: unknown }): EmailEvent {
  const event: { [name: string]: unknown } = { type };
  for (const each of EVENT_TYPES)
    for (const field of schemas[each].fields as readonly { name: string; default?: unknown; type: unknown }[])
      event[field.name] = emptyOf(field);
  Object.assign(event, fields);
  for (const name of ['occurred_at', 'received_at'])
    if (typeof event[name] === 'string') event[name] = Date.parse(event[name]);
  const key = recipientKey(event.recipient as string);
  event.recipient_domain ||= key.includes('@') ? key.slice(key.lastIndexOf('@') + 1) : '';
  return event as unknown as EmailEvent;
}

function emptyOf({ default: value, type }: { readonly default?: unknown; readonly type: unknown }): unknown {
  if (value !== undefined) return value;
  if (Array.isArray(type)) return null;
  if (type === 'string') return '';
  const { type: kind } = typeof type === 'object' && type !== null ? (type as { type: unknown }) : { type };
  if (kind === 'array') return [];
  if (kind === 'map') return {};
  return kind === 'string' || kind === 'enum' ? '' : 0;
}
