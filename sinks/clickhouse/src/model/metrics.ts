/**
 * What each figure means: one definition, from which the views' columns and comments, METRICS.md and the reports are made. Figures count rows of
 * `messages`: a message to a recipient, by the last that is known of it.
 *
 * Statements of migrations are filled with these. Whoever changes one raises the version, and adds a migration that makes the views anew.
 */
export const METRICS_VERSION = 1;

interface Defined {
  /** One sentence for who reads the column's comment alone. */
  readonly meaning: string;
  /** What is left out although one might expect it. */
  readonly excludes: string;
  /** Why it is so and not otherwise. */
  readonly why: string;
}

/** How many. */
export interface CountMetric extends Defined {
  readonly kind: 'count';
  /** An aggregate over rows of `messages AS m`. */
  readonly sql: string;
}

/** A share: two counts of this file. */
export interface RateMetric extends Defined {
  readonly kind: 'rate';
  readonly numerator: string;
  readonly denominator: string;
}

/** Seconds between two times of a message, of those that have both: a quantile. */
export interface DurationMetric extends Defined {
  readonly kind: 'seconds';
  readonly quantile: number;
  readonly from: string;
  readonly to: string;
}

export type Metric = CountMetric | RateMetric | DurationMetric;

const count = (sql: string, meaning: string, excludes: string, why: string): CountMetric => ({
  ...{ kind: 'count', sql, meaning, excludes, why },
});
const rate = (
  numerator: string,
  denominator: string,
  meaning: string,
  excludes: string,
  why: string,
): RateMetric => ({
  ...{ kind: 'rate', numerator, denominator, meaning, excludes, why },
});
const seconds = (quantile: number, to: string, reaction: string): DurationMetric => ({
  ...{ kind: 'seconds', quantile, from: 'delivered_at', to },
  meaning: `Seconds from the delivery to the first ${reaction}, which ${quantile * 100} % of the messages with both did not exceed`,
  excludes: `Messages without a delivery or without a ${reaction}; those with a ${reaction} before the delivery was reported; machines, where the ESP tells them`,
  why: 'A mean would be that of the few who come after weeks. Clocks of two systems may differ: a negative time says nothing.',
});

const ESP_SAYS = 'Machines, where the ESP says that it was one';
const NOT_JUDGED =
  'Most ESPs do not tell machines: what is not judged counts as a person, and is counted apart (unjudged)';

export const METRICS: { readonly [name: string]: Metric } = {
  sent: count(
    "countIf(m.outcome != 'unknown')",
    'Messages of which the ESP reported that it has them, or what became of them',
    'Messages of which only a reaction is known, such as an open',
    'An ESP that reports no acceptance still reports an end',
  ),
  attempted: count(
    "countIf(m.outcome IN ('delivered', 'hard_bounced', 'soft_bounced', 'dropped'))",
    'Messages that have ended: delivered, bounced or dropped',
    'Messages on their way: queued or deferred',
    'What has not ended is neither a success nor a failure, so rates do not sink while a mailing goes out',
  ),
  delivered: count(
    "countIf(m.outcome = 'delivered')",
    'Messages that the receiving server took and that did not bounce afterwards',
    'Messages that bounced after the delivery',
    'A server may take a message and refuse it later: the last word counts, in whichever order the two were reported',
  ),
  hard_bounced: count(
    "countIf(m.outcome = 'hard_bounced')",
    'Messages that ended with a bounce, of which any was hard',
    'Messages that were delivered after the bounce',
    'A hard bounce is about the address, so one is enough',
  ),
  soft_bounced: count(
    "countIf(m.outcome = 'soft_bounced')",
    'Messages that ended with a soft or undetermined bounce',
    'Messages with a hard bounce too; messages that were delivered after the bounce; deferrals',
    'What is not known to be for good is not',
  ),
  dropped: count(
    "countIf(m.outcome = 'dropped')",
    'Messages that the ESP did not attempt to deliver',
    'Messages that were delivered or bounced as well',
    'It is the ESP that refused, for example since the address bounced before',
  ),
  blocked: count(
    "countIf(m.outcome IN ('hard_bounced', 'soft_bounced') AND m.bounce_category IN ('policy', 'spam', 'content'))",
    'Messages that ended with a bounce for what they are or who sent them: policy, spam, content',
    'Bounces because of the address or the mailbox',
    'It is the sender’s standing that is at stake, not the list',
  ),
  deferred: count(
    'countIf(m.deferrals > 0)',
    'Messages that were put off at least once, whatever became of them',
    'How often each was put off',
    'One slow message would count like many',
  ),
  opened: count(
    'countIf(m.opens > 0)',
    'Messages that were opened at least once, by people or by what the ESP does not tell from people',
    ESP_SAYS,
    NOT_JUDGED,
  ),
  clicked: count(
    'countIf(m.clicks > 0)',
    'Messages in which a link was clicked at least once, by people or by what the ESP does not tell from people',
    ESP_SAYS,
    NOT_JUDGED,
  ),
  opens: count(
    'sum(m.opens)',
    'All opens, by people or by what the ESP does not tell from people',
    ESP_SAYS,
    NOT_JUDGED,
  ),
  clicks: count(
    'sum(m.clicks)',
    'All clicks, by people or by what the ESP does not tell from people',
    ESP_SAYS,
    NOT_JUDGED,
  ),
  unjudged_opens: count(
    'sum(m.unjudged_opens)',
    'Of the opens: those of which the ESP does not say whether a machine did it',
    '–',
    'It says how far the opens can be trusted',
  ),
  unjudged_clicks: count(
    'sum(m.unjudged_clicks)',
    'Of the clicks: those of which the ESP does not say whether a machine did it',
    '–',
    'It says how far the clicks can be trusted',
  ),
  machine_opens: count(
    'sum(m.machine_opens)',
    'Opens that the ESP says a machine did: privacy proxies, scanners, prefetching',
    'Machines that the ESP does not recognise',
    'They say nothing of the recipient',
  ),
  machine_clicks: count(
    'sum(m.machine_clicks)',
    'Clicks that the ESP says a machine did: scanners of links',
    'Machines that the ESP does not recognise',
    'They say nothing of the recipient',
  ),
  complained: count(
    'countIf(m.complained_at IS NOT NULL)',
    'Messages that the recipient reported as spam',
    'Reports that a message is not spam (feedback type not-spam)',
    'These say the opposite',
  ),
  unsubscribed: count(
    'countIf(m.unsubscribed_at IS NOT NULL)',
    'Messages after which the recipient unsubscribed',
    'Unsubscribes for which the ESP names no message are a message of their own',
    'A list can be left without a mail at hand',
  ),
  delivery_rate: rate(
    'delivered',
    'attempted',
    'Share of the messages that ended which were delivered',
    'Messages on their way',
    'Else it would sink whenever a mailing begins',
  ),
  hard_bounce_rate: rate(
    'hard_bounced',
    'attempted',
    'Share of the messages that ended which bounced for good',
    'Messages on their way',
    'Mailbox providers judge senders by it: above 2 % is commonly called bad',
  ),
  soft_bounce_rate: rate(
    'soft_bounced',
    'attempted',
    'Share of the messages that ended which bounced for now',
    'Messages on their way',
    'As the other shares of how messages end: they add up to 1',
  ),
  drop_rate: rate(
    'dropped',
    'attempted',
    'Share of the messages that ended which the ESP did not attempt to deliver',
    'Messages on their way',
    'As the other shares of how messages end: they add up to 1',
  ),
  block_rate: rate(
    'blocked',
    'attempted',
    'Share of the messages that ended which were refused for what they are or who sent them',
    'Bounces because of the address or the mailbox',
    'It is part of the bounce rates, and the part that a sender can act on',
  ),
  deferral_rate: rate(
    'deferred',
    'sent',
    'Share of the messages that were put off at least once',
    '–',
    'It rises before blocks do',
  ),
  open_rate: rate(
    'opened',
    'delivered',
    'Share of the delivered messages that were opened',
    ESP_SAYS,
    'Above 1 where a source reports opens and not all deliveries',
  ),
  click_rate: rate(
    'clicked',
    'delivered',
    'Share of the delivered messages in which a link was clicked',
    ESP_SAYS,
    'Above 1 where a source reports clicks and not all deliveries',
  ),
  click_to_open_rate: rate(
    'clicked',
    'opened',
    'Clicked messages to opened ones',
    ESP_SAYS,
    'Images may be off where links are clicked, so it can be above 1',
  ),
  complaint_rate: rate(
    'complained',
    'delivered',
    'Share of the delivered messages that were reported as spam',
    'Reports that a message is not spam',
    'Mailbox providers judge senders by it: Gmail and Yahoo ask for less than 0.3 %. Gmail itself reports none to ESPs',
  ),
  unsubscribe_rate: rate(
    'unsubscribed',
    'delivered',
    'Share of the delivered messages after which the recipient unsubscribed',
    '–',
    'As complaints',
  ),
  time_to_open_p50: seconds(0.5, 'opened_at', 'open'),
  time_to_open_p90: seconds(0.9, 'opened_at', 'open'),
  time_to_open_p99: seconds(0.99, 'opened_at', 'open'),
  time_to_click_p50: seconds(0.5, 'clicked_at', 'click'),
  time_to_click_p90: seconds(0.9, 'clicked_at', 'click'),
  time_to_click_p99: seconds(0.99, 'clicked_at', 'click'),
};
