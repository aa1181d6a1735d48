/**
 * Whether a person or a machine opened or clicked, by signs that every ESP gives, beside the verdict of the ESP and never instead of it. Each
 * sign adds its weight; a sum at or above `machine_at` is a machine, one at or below `person_at` a person, and what is between is uncertain, as is
 * what shows no sign at all.
 *
 * Statements of migrations are filled with these. Whoever changes one raises the version, and adds a migration that makes the view anew.
 * An installation has other thresholds and weights by rows of `reaction_settings`.
 */
export const REACTION_RULES_VERSION = 1;

export interface Setting {
  readonly value: number;
  readonly meaning: string;
}

/** Seconds, numbers of links, sums of weights. */
export const REACTION_SETTINGS = {
  machine_at: { value: 60, meaning: 'sum of weights from which on it is a machine' },
  person_at: { value: 0, meaning: 'sum of weights up to which it is a person' },
  at_once_seconds: { value: 5, meaning: 'less than this after the delivery nobody has read it' },
  soon_seconds: { value: 60, meaning: 'less than this after the delivery few have read it' },
  many_links: { value: 3, meaning: 'so many different links of a message' },
  links_seconds: { value: 10, meaning: 'within this before or after are clicked by a scanner' },
  agent_scanner: {
    value: 100,
    meaning: 'weight: the user agent is that of a scanner, a program or a crawler',
  },
  agent_prefetch: {
    value: 100,
    meaning: 'weight: the user agent is that of a mail service which loads images when mail comes in',
  },
  at_once: { value: 80, meaning: 'weight: at_once_seconds' },
  soon: { value: 20, meaning: 'weight: soon_seconds, and not at_once_seconds' },
  before_delivery: { value: 40, meaning: 'weight: before the delivery' },
  links_at_once: { value: 80, meaning: 'weight: many_links within links_seconds' },
  click_without_open: { value: 20, meaning: 'weight: a click in a message that was never opened' },
  later: { value: -20, meaning: 'weight: soon_seconds or more after the delivery' },
  agent_client: { value: -20, meaning: 'weight: the user agent is that of a browser or a mail program' },
} as const satisfies { readonly [name: string]: Setting };

export type SettingName = keyof typeof REACTION_SETTINGS;

export interface AgentRule {
  /** `proxy` stands between: a person opened, or nobody did. It is no sign. */
  readonly kind: 'scanner' | 'prefetch' | 'proxy' | 'client';
  /** A regular expression (RE2) for the user agent in lower case. */
  readonly agent: string;
}

/** The first that fits. */
export const AGENT_RULES: readonly AgentRule[] = [
  // Gmail's and Yahoo's proxies load an image when the message is opened.
  { kind: 'proxy', agent: 'googleimageproxy|yahoomailproxy|ggpht\\.com' },
  {
    kind: 'scanner',
    agent:
      'barracuda|proofpoint|mimecast|symantec|trendmicro|fortinet|sophos|cisco|ironport|forcepoint|fireeye|messagelabs|zscaler',
  },
  { kind: 'scanner', agent: 'headlesschrome|phantomjs|puppeteer|playwright|selenium' },
  {
    kind: 'scanner',
    agent:
      '\\b(curl|wget|python|java|ruby|perl|php|okhttp|axios|node-fetch|libwww|httpclient)\\b|go-http-client|python-(requests|urllib)|apache-httpclient',
  },
  {
    kind: 'scanner',
    agent: 'bot\\b|bot/|crawl|spider|preview|facebookexternalhit|whatsapp|existence discovery',
  },
  // Apple's Mail Privacy Protection says this and no more.
  { kind: 'prefetch', agent: '^mozilla/5\\.0$' },
  { kind: 'client', agent: 'mozilla/|opera|outlook|thunderbird|applemail|airmail|postbox|lotus|k-9' },
];
