import { markdownTable } from '@email-events/schemas/tools';
import { BOUNCE_REASONS, BOUNCE_RULES_VERSION } from '../src/model/bounce-reasons.ts';
import { MAILBOX_PROVIDERS, MAILBOX_PROVIDERS_VERSION } from '../src/model/mailbox-providers.ts';
import { METRICS, METRICS_VERSION, type Metric } from '../src/model/metrics.ts';
import { AGENT_RULES, REACTION_RULES_VERSION, REACTION_SETTINGS } from '../src/model/reaction-rules.ts';

/** What figures, providers and reasons mean, for whoever asks ClickHouse. */
export function modelPage(): string {
  return [
    '<!-- Generated from src/model by `npm run gen`. Do not edit. -->',
    '# Metrics, mailbox providers, bounce reasons, people and machines',
    '',
    'One definition each, from which the columns and comments of the [views](README.md#views) and the reports of the command line are made.',
    '',
    '## Metrics',
    '',
    `Version ${METRICS_VERSION}. Figures count rows of \`messages\`: a message to a recipient, by the last that is known of it. Events that an operator marked`,
    'do not count. `campaign_performance` and `ab_comparison` are older: they count recipients of a campaign once, however many messages they got,',
    'and their `delivery_rate` is of all that was sent.',
    '',
    markdownTable([['metric', 'is', 'leaves out', 'why'], ...Object.entries(METRICS).map(metricRow)]),
    '',
    '## Mailbox providers',
    '',
    `Version ${MAILBOX_PROVIDERS_VERSION}. \`mailbox_provider\` of \`email_events\`, the rollups and the views, by the domain of the recipient: only domains whose addresses`,
    'the provider gives out. Every other domain is `other`, also if Google or Microsoft hosts its mail; an address without a domain has the empty text.',
    '',
    markdownTable([
      ['provider', 'domains'],
      ...Object.entries(MAILBOX_PROVIDERS).map(([name, domains]) => [`\`${name}\``, domains.join(', ')]),
    ]),
    '',
    '## Bounce reasons',
    '',
    `Version ${BOUNCE_RULES_VERSION}. \`reason\` of \`bounce_reasons\`, from the enhanced status code and the words of the receiving server. The ESP’s own class and`,
    'category stay beside it, and decide about suppression; `class_differs` and `category_differs` show where the two disagree.',
    '',
    markdownTable([
      ['reason', 'means', 'class', 'agrees with the ESP’s'],
      ...Object.entries(BOUNCE_REASONS).map(([name, { meaning, hard, categories }]) => [
        `\`${name}\``,
        meaning,
        hard ? 'hard; soft with a status 4.x.x' : 'soft',
        categories.map((category) => `\`${category}\``).join(', '),
      ]),
    ]),
    '',
    ...peopleAndMachines(),
    '',
  ].join('\n');
}

function peopleAndMachines(): string[] {
  return [
    '## People and machines',
    '',
    `Version ${REACTION_RULES_VERSION}. \`verdict\` of \`reactions\` and \`campaign_reactions\`: who opened, clicked or unsubscribed, by signs that every ESP gives. The word of the ESP`,
    '(`esp_verdict`) stays beside it, and decides in all other views. Each sign adds its weight; a sum of `machine_at` or more is a machine, one of',
    '`person_at` or less a person, what is between is uncertain, and so is what shows no sign. `reasons` names the signs. What an installation sets otherwise:',
    "`INSERT INTO reaction_settings (name, value) VALUES ('machine_at', 80)`; the latest holds, for all history.",
    '',
    markdownTable([
      ['name', 'default', 'means'],
      ...Object.entries(REACTION_SETTINGS).map(([name, { value, meaning }]) => [
        `\`${name}\``,
        `${value}`,
        meaning,
      ]),
    ]),
    '',
    'User agents, in lower case; the first that fits. A proxy is no sign: it loads images when a person opens the message.',
    '',
    markdownTable([
      ['kind', 'regular expression'],
      ...AGENT_RULES.map(({ kind, agent }) => [kind, `\`${agent}\``]),
    ]),
  ];
}

function metricRow([name, metric]: readonly [string, Metric]): string[] {
  return [`\`${name}\``, `${metric.meaning}${formulaOf(metric)}`, metric.excludes, metric.why];
}

function formulaOf(metric: Metric): string {
  if (metric.kind === 'rate') return `: \`${metric.numerator}\` / \`${metric.denominator}\``;
  if (metric.kind === 'count') return ` (\`${metric.sql}\`)`;
  return ` (\`${metric.from}\` to \`${metric.to}\`)`;
}
