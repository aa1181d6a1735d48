import type { EmailEvent } from '@email-events/schemas';
import { groupedBy } from '../expected-figures.ts';
import { expectedMessages } from '../expected-messages.ts';
import { type Answers, by, daily, type Row, share } from './rows.ts';

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

  'Does one ESP get through better than another, to the same mailboxes?': ({ events }) =>
    daily(events, ['mailbox_provider', 'esp'], ['attempted', 'delivery_rate']).sort(
      by('mailbox_provider', 'esp'),
    ),

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
