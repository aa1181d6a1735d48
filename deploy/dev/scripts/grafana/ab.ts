import { board, CAMPAIGN, testVariable } from './board.ts';
import { series, table } from './panels.ts';

const OF_ONE = `WHERE campaign = ${CAMPAIGN}`;

const verdict = (measure: 'open' | 'click', done: string) =>
  table(
    {
      title: done,
      description:
        'undecided until the interval of the difference excludes zero, then better or worse than the other variants together; look as often as you like. In words, and for the split: `email-events report ab`.',
      sql: `SELECT source, variant, delivered, ${measure}_rate AS rate, ${measure}_difference AS difference, ${measure}_difference_low AS low,
  ${measure}_difference_high AS high, ${measure}_verdict AS verdict
FROM ab_comparison ${OF_ONE} ORDER BY source, variant`,
    },
    {
      ...{ delivered: 'short', rate: 'percentunit', difference: 'percentunit' },
      ...{ low: 'percentunit', high: 'percentunit' },
    },
  );

const reactions = (type: 'opened' | 'clicked', title: string) =>
  series(
    {
      title,
      description: 'By variant, machines left out where the ESP tells them.',
      sql: `SELECT $__timeInterval(hour) AS time, variant, sum(h.events) AS ${type}
FROM hourly_counts AS h ${OF_ONE} AND $__timeFilter(hour) AND h.type = '${type}' AND NOT h.is_machine AND variant != ''
GROUP BY time, variant ORDER BY time, variant`,
    },
    'short',
  );

export const ab = board({
  title: 'Email: A/B tests',
  uid: 'email-events-ab',
  from: 'now-14d',
  refresh: '15m',
  variables: [testVariable()],
  panels: [
    verdict('click', 'Clicks'),
    verdict('open', 'Opens'),
    reactions('clicked', 'Clicks as they come'),
    reactions('opened', 'Opens as they come'),
    table(
      {
        title: 'The split',
        description:
          'Recipients that each variant was sent to. If these are not the shares that were meant, no difference can be believed.',
        sql: `SELECT source, variant, sent, sent / sum(sent) OVER (PARTITION BY source) AS share, delivered, bounced_hard, complained, unsubscribed
FROM campaign_performance ${OF_ONE} AND variant != '' ORDER BY source, variant`,
      },
      {
        ...{ sent: 'short', share: 'percentunit', delivered: 'short', bounced_hard: 'short' },
        ...{ complained: 'short', unsubscribed: 'short' },
      },
    ),
  ],
});
