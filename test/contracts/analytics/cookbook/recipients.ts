import { recipientKey } from '@email-events/schemas';
import { groupedBy } from '../expected-figures.ts';
import { expectedMessages } from '../expected-messages.ts';
import { type Answers, by, distinct, type Row, reactionsOf, timeText } from './rows.ts';

export const RECIPIENTS: Answers = {
  'What happened to one recipient?': ({ events, forged }) =>
    [...events.map((event) => ({ event, mark: '' })), ...forged.map((event) => ({ event, mark: 'forged' }))]
      .filter(({ event }) => recipientKey(event.recipient) === 'person3@gmail.com')
      .map(
        ({ event, mark }): Row => ({
          ...{ occurred_at: timeText(event.occurred_at), type: event.type, campaign: event.campaign },
          ...{ mark, event_id: event.event_id },
        }),
      )
      .sort(by('occurred_at', 'event_id')),

  'What became of the mail to one recipient?': ({ events }) => {
    const rows = expectedMessages(events).filter((row) => row.recipient_key === 'person3@gmail.com');
    const sum = (of: typeof rows, column: string) => of.reduce((all, row) => all + Number(row[column]), 0);
    return [...groupedBy(rows, 'outcome').values()]
      .map(
        (of): Row => ({
          ...{ outcome: String(of[0]?.outcome), messages: of.length },
          ...{ opens: sum(of, 'opens'), clicks: sum(of, 'clicks') },
        }),
      )
      .sort(by('outcome'));
  },

  'How many different people opened in each week?': ({ events }) => {
    const rows = events
      .filter((event) => event.type === 'opened' && event.is_machine !== true && event.recipient !== '')
      .map(({ occurred_at: at, recipient }) => {
        const sinceMonday = (new Date(at).getUTCDay() + 6) % 7;
        const week = new Date(at - sinceMonday * 86_400_000).toISOString().slice(0, 10);
        return { week, key: recipientKey(recipient) };
      });
    return [...groupedBy(rows, 'week').values()]
      .map((of): Row => ({ week: of[0]?.week ?? '', recipients: distinct(of, 'key'), opens: of.length }))
      .sort(by('week'));
  },

  'May a recipient be written to, and if not, why?': ({ states }) =>
    states
      .filter(({ recipient }) => recipient === 'person3@gmail.com')
      .map(({ suppressed, reasons }) => ({
        suppressed,
        reasons: reasons.map(({ reason, scope }) => `${reason} of ${scope}`),
      })),

  'How many may not be written to any more, and why?': ({ states }) => {
    const reasons = states.flatMap((state) => state.reasons.map(({ reason, scope }) => ({ reason, scope })));
    return [...groupedBy(reasons, 'reason', 'scope').values()]
      .map((rows): Row => ({ ...(rows[0] ?? {}), recipients: rows.length }))
      .sort(by('-recipients', 'reason', 'scope'));
  },

  'Who is about to be suppressed for soft bounces?': ({ events }) => {
    const since = Date.now() - 30 * 86_400_000;
    const recent = events
      .filter(({ occurred_at: at, recipient }) => at > since && recipient !== '')
      .map((event) => ({ event, recipient_key: recipientKey(event.recipient) }));
    return [...groupedBy(recent, 'recipient_key').entries()]
      .map(([, rows]): Row => {
        const delivered = Math.max(
          ...rows.map(({ event }) => (event.type === 'delivered' ? event.occurred_at : 0)),
        );
        const soft = rows.filter(
          ({ event }) =>
            event.type === 'bounced' && event.bounce_class === 'soft' && event.occurred_at > delivered,
        );
        return { recipient_key: rows[0]?.recipient_key ?? '', in_a_row: soft.length };
      })
      .filter((row) => Number(row.in_a_row) > 0)
      .sort(by('-in_a_row', 'recipient_key'));
  },

  'Who gets mail and never reacts?': ({ events }) =>
    [...groupedBy(expectedMessages(events), 'recipient_key').values()]
      .filter((rows) => reactionsOf(rows) === 0)
      .map(
        (rows): Row => ({
          recipient_key: String(rows[0]?.recipient_key),
          delivered: rows.filter(({ outcome }) => outcome === 'delivered').length,
        }),
      )
      .filter(({ delivered }) => Number(delivered) >= 2)
      .sort(by('-delivered', 'recipient_key')),

  'Who complained, of which campaign?': ({ events }) => {
    const rows = expectedMessages(events).filter(({ complained_at: at }) => at !== null);
    return [...groupedBy(rows, 'recipient_key', 'campaign').values()]
      .map(([row]): Row => ({ recipient_key: String(row?.recipient_key), campaign: String(row?.campaign) }))
      .sort(by('recipient_key', 'campaign'));
  },

  'What do people unsubscribe from?': ({ events }) => {
    const rows = expectedMessages(events).filter(({ unsubscribed_at: at }) => at !== null);
    return [...groupedBy(rows, 'unsubscribe_scope').values()]
      .map(
        (of): Row => ({
          ...{ unsubscribe_scope: String(of[0]?.unsubscribe_scope), messages: of.length },
          people: distinct(of, 'recipient_key'),
        }),
      )
      .sort(by('-messages', 'unsubscribe_scope'));
  },

  'When was each webhook heard of last?': ({ events }) => {
    const rows = events.map((event) => ({ source: event.source, event }));
    return [...groupedBy(rows, 'source').values()]
      .map((of): Row => {
        const last = of.map(({ event }) => event).sort((a, b) => b.occurred_at - a.occurred_at)[0];
        return {
          ...{ source: last?.source ?? '', last_occurred_at: timeText(last?.occurred_at ?? 0) },
          last_type: last?.type ?? '',
        };
      })
      .sort(by('source'));
  },

  'Which events do not count, and who said so?': ({ forged }) =>
    [
      ...groupedBy(
        forged.map(({ source }) => ({ source })),
        'source',
      ).values(),
    ]
      .map(
        (rows): Row => ({ mark: 'forged', source: rows[0]?.source ?? '', by: 'maria', events: rows.length }),
      )
      .sort(by('source')),

  'Where are the bytes that an event was made of?': ({ events, forged }) =>
    [...events, ...forged]
      .filter(({ event_id: id }) => id === '41-7')
      .map((event) => ({
        ...{ raw_topic: 'email.raw', raw_partition: event.raw_partition, raw_offset: event.raw_offset },
        ...{ item_index: event.item_index, request_id: event.request_id },
      })),
};
