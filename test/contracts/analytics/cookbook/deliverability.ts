import type { EmailEvent } from '@email-events/schemas';
import { groupedBy } from '../expected-figures.ts';
import { expectedMessages } from '../expected-messages.ts';
import { type Answers, by, daily, type Row, share } from './rows.ts';

const DAY_MS = 86_400_000;
const FROM = Date.UTC(2026, 8, 1);
const ENDS = ['delivered', 'bounced', 'dropped', 'deferred', 'complained'];
const BLOCKS = ['policy', 'spam', 'content'];

export const DELIVERABILITY: Answers = {
  'How does mail get through, day by day?': ({ events }) =>
    daily(events, ['day'], ['attempted', 'delivered', 'delivery_rate'])
      .filter(({ day }) => String(day) >= '2026-09-01' && String(day) <= '2026-09-14')
      .sort(by('day')),

  'Which mailbox provider refuses most?': ({ events }) =>
    daily(events, ['mailbox_provider'], ['attempted', 'hard_bounced', 'soft_bounced', 'blocked'])
      .map(
        (row): Row => ({
          ...row,
          bounce_rate: share(Number(row.hard_bounced) + Number(row.soft_bounced), Number(row.attempted)),
        }),
      )
      .sort(by('-bounce_rate', 'mailbox_provider')),

  'Which domains take least of it?': ({ events }) =>
    daily(events, ['recipient_domain'], ['attempted', 'delivered', 'delivery_rate'])
      .filter(({ attempted }) => Number(attempted) >= 20)
      .sort(by('delivery_rate', 'recipient_domain')),

  'Why does mail come back?': ({ events }) => {
    const bounces = events
      .filter(({ type }) => type === 'bounced')
      .map((event) => ({ reason: reasonOf(event) }));
    return [...groupedBy(bounces, 'reason').values()]
      .map((rows): Row => ({ reason: rows[0]?.reason ?? '', bounces: rows.length }))
      .sort(by('-bounces', 'reason'));
  },

  'Where is mail put off?': ({ events }) =>
    daily(events, ['mailbox_provider'], ['deferred', 'sent', 'deferral_rate']).sort(
      by('-deferral_rate', 'mailbox_provider'),
    ),

  'Whose address does not work?': ({ events }) => {
    const rows = expectedMessages(events).filter(({ outcome }) => outcome === 'hard_bounced');
    return [...groupedBy(rows, 'recipient_key').values()]
      .map(
        (of): Row => ({
          ...{ recipient_key: String(of[0]?.recipient_key), messages: of.length },
          last_at:
            of
              .map((row) => String(row.hard_bounced_at))
              .sort()
              .at(-1) ?? '',
        }),
      )
      .sort(by('recipient_key'));
  },

  'Which of our sending domains does worst?': ({ events }) =>
    daily(events, ['sender_domain'], ['attempted', 'blocked', 'complained', 'block_rate']).sort(
      by('-block_rate', 'sender_domain'),
    ),

  'Which sending domain was refused in the last days?': ({ events }) => {
    const rows = events
      .filter(({ type, occurred_at: at }) => ENDS.includes(type) && at >= FROM && at < FROM + 14 * DAY_MS)
      .map((event) => ({
        event,
        sender_domain: /@([^@>\s]+)>?\s*$/.exec((event.sender ?? '').toLowerCase())?.[1] ?? '',
      }));
    return [...groupedBy(rows, 'sender_domain').values()]
      .map((of): Row => {
        const bounces = of.filter(({ event }) => event.type === 'bounced');
        return {
          sender_domain: of[0]?.sender_domain ?? '',
          deliveries: of.filter(({ event }) => event.type === 'delivered').length,
          bounces: bounces.length,
          blocks: bounces.filter(({ event }) => BLOCKS.includes(event.bounce_category ?? '')).length,
        };
      })
      .sort(by('sender_domain'));
  },

  'Does one ESP get through better than another, to the same mailboxes?': ({ events }) =>
    daily(events, ['mailbox_provider', 'esp'], ['attempted', 'delivery_rate']).sort(
      by('mailbox_provider', 'esp'),
    ),

  'What happened on each day?': ({ events }) => {
    const rows = events
      .filter(({ occurred_at: at }) => at >= FROM && at < FROM + 14 * DAY_MS)
      .map(({ occurred_at: at, type }) => ({ day: new Date(at).toISOString().slice(0, 10), type }));
    return [...groupedBy(rows, 'day', 'type').values()]
      .map((of): Row => ({ day: of[0]?.day ?? '', type: of[0]?.type ?? '', events: of.length }))
      .sort(by('day', 'type'));
  },

  'How much comes in, of what, from whom?': ({ events }) =>
    [
      ...groupedBy(
        events.map(({ esp, source, type }) => ({ esp, source, type })),
        'esp',
        'source',
        'type',
      ).values(),
    ]
      .map((rows): Row => ({ ...(rows[0] ?? {}), events: rows.length }))
      .sort(by('esp', 'source', 'type')),
};

/** Of the status and words that the tests' events have. */
function reasonOf(event: EmailEvent): string {
  if (event.type !== 'bounced') return '';
  const { enhanced_status: status, diagnostic } = event;
  if (status === '5.1.1') return 'invalid_mailbox';
  if (status === '4.2.2') return 'mailbox_full';
  if (diagnostic === 'user unknown') return 'invalid_mailbox';
  return diagnostic === 'quota exceeded' ? 'mailbox_full' : 'other';
}
