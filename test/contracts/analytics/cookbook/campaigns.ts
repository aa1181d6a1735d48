import { type EmailEvent, recipientKey } from '@email-events/schemas';
import { compareVariants } from '../../ab-comparison/simulated.ts';
import { groupedBy } from '../expected-figures.ts';
import { expectedMessages } from '../expected-messages.ts';
import {
  type Answers,
  by,
  campaigns,
  distinct,
  inCampaign,
  keysOf,
  type Row,
  reactionsOf,
  share,
} from './rows.ts';

export const CAMPAIGNS: Answers = {
  'How did each campaign do?': ({ events }) =>
    campaigns(events, ['campaign'], ['sent', 'delivered', 'opened', 'clicked', 'open_rate', 'click_rate'])
      .filter(({ campaign }) => campaign !== '')
      .sort(by('campaign')),

  'Which variant is better, and is that sure?': ({ events }) => {
    const sides = recipientsOf(events.filter(({ campaign, variant }) => campaign === 'autumn' && variant));
    const rows = [...groupedBy(sides, 'source').values()].flatMap((variants) => {
      const verdicts = compareVariants(
        variants.map(({ delivered, clicked }) => ({ delivered, reacted: clicked })),
      );
      return variants.map(({ source, variant, delivered, clicked }, at) => ({
        ...{ source, variant, delivered, clicked, click_rate: share(clicked, delivered) },
        click_verdict: verdicts[at]?.verdict ?? '',
      }));
    });
    return rows.sort(by('source', 'variant'));
  },

  'How did a campaign do at each mailbox provider?': ({ events }) =>
    campaigns(
      events,
      ['mailbox_provider'],
      ['attempted', 'delivered', 'opened', 'delivery_rate', 'open_rate'],
      'autumn',
    ).sort(by('mailbox_provider')),

  'Who clicked in a campaign?': ({ events }) =>
    keysOf(inCampaign(events, 'autumn').filter((row) => Number(row.clicks) > 0)),

  'Who got a campaign and neither opened nor clicked?': ({ events, states }) => {
    const groups = groupedBy(inCampaign(events, 'autumn'), 'recipient_key');
    const barred = states.filter(({ suppressed }) => suppressed).map(({ recipient }) => recipient);
    return [...groups.values()]
      .filter((rows) => rows.some(({ outcome }) => outcome === 'delivered') && reactionsOf(rows) === 0)
      .map(([first]) => String(first?.recipient_key))
      .filter((key) => !barred.includes(key))
      .map((recipient_key): Row => ({ recipient_key }))
      .sort(by('recipient_key'));
  },

  'Which links were clicked most?': ({ events }) => {
    const clicks = events.flatMap((event) =>
      event.type === 'clicked' && event.is_machine !== true && event.campaign === 'autumn'
        ? [{ url: event.url, recipient: recipientKey(event.recipient) }]
        : [],
    );
    return [...groupedBy(clicks, 'url').values()]
      .map(
        (rows): Row => ({
          url: rows[0]?.url ?? '',
          clicks: rows.length,
          people: distinct(rows, 'recipient'),
        }),
      )
      .sort(by('-clicks', 'url'));
  },

  'How long does it take until mail is opened?': ({ events }) =>
    campaigns(
      events,
      ['variant', 'source', 'mailbox_provider', 'esp'],
      ['opened', 'time_to_open_p50'],
      'autumn',
    )
      .filter(({ time_to_open_p50: p50 }) => p50 !== null)
      .map(({ esp: _, ...row }): Row => row)
      .sort(by('variant', 'source', 'mailbox_provider')),

  'On which day of the week do people open and click?': ({ events }) => {
    const rows = events
      .filter(({ type }) => ['delivered', 'opened', 'clicked'].includes(type))
      .map((event) => ({ event, weekday: ((new Date(event.occurred_at).getUTCDay() + 6) % 7) + 1 }));
    const people = (of: typeof rows, type: EmailEvent['type']) =>
      of.filter(({ event }) => event.type === type && event.is_machine !== true).length;
    return [...groupedBy(rows, 'weekday').values()]
      .map(
        (of): Row => ({
          ...{ weekday: of[0]?.weekday ?? 0, deliveries: people(of, 'delivered') },
          ...{ opens: people(of, 'opened'), clicks: people(of, 'clicked') },
        }),
      )
      .sort(by('weekday'));
  },

  'Who clicked in one campaign and in another?': ({ events }) => {
    const clicked = (campaign: string) =>
      keysOf(inCampaign(events, campaign).filter((row) => Number(row.clicks) > 0));
    const winter = clicked('winter').map((row) => row.recipient_key);
    return clicked('autumn').filter((row) => winter.includes(row.recipient_key));
  },

  'Which campaign drives people away?': ({ events }) =>
    campaigns(
      events,
      ['campaign'],
      ['complained', 'unsubscribed', 'delivered', 'complaint_rate', 'unsubscribe_rate'],
    ).sort(by('-unsubscribe_rate', 'campaign')),

  'How far can opens be trusted?': ({ events }) =>
    campaigns(events, ['esp'], ['opens', 'unjudged_opens', 'machine_opens']).sort(by('esp')),

  'How many people did mail reach in a month?': ({ events }) => {
    const rows = expectedMessages(events).filter(
      ({ outcome, first_at: at }) => outcome === 'delivered' && String(at).startsWith('2026-09'),
    );
    return [{ people: distinct(rows, 'recipient_key'), messages: rows.length }];
  },
};

/** Each recipient once a source and variant, as an A/B test counts. */
function recipientsOf(events: readonly EmailEvent[]) {
  // Nobody is one who is not named.
  const named = events.filter(({ recipient }) => recipient !== '');
  const rows = named.map((event) => ({
    ...{
      event,
      source: event.source,
      variant: event.variant ?? '',
      recipient: recipientKey(event.recipient),
    },
    message: event.esp_message_id ?? event.message_id ?? '',
  }));
  return [...groupedBy(rows, 'source', 'variant').values()]
    .map((side) => {
      const messages = [...groupedBy(side, 'recipient', 'message').values()];
      const delivered = messages.filter((of) => {
        const latest = (type: EmailEvent['type']) =>
          Math.max(0, ...of.map(({ event }) => (event.type === type ? event.occurred_at : 0)));
        return latest('delivered') > latest('bounced');
      });
      const clicked = side.filter(({ event }) => event.type === 'clicked' && event.is_machine !== true);
      const { source = '', variant = '' } = side[0] ?? {};
      return {
        source,
        variant,
        delivered: distinct(delivered.flat(), 'recipient'),
        clicked: distinct(clicked, 'recipient'),
      };
    })
    .sort(by('variant'));
}
