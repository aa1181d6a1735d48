/**
 * Why a message bounced or was put off, in one taxonomy over all ESPs, from what the receiving server said: the enhanced status code (RFC 3463,
 * RFC 7372) and the words. The ESP's own class and category stay beside it. The first rule that fits decides: statuses that leave no doubt,
 * then words, then statuses that say little.
 *
 * Statements of migrations are filled with these. Whoever changes one raises the version, and adds a migration that makes the view anew.
 */
export const BOUNCE_RULES_VERSION = 1;

export type BounceReason = keyof typeof BOUNCE_REASONS;

interface Reason {
  readonly meaning: string;
  /** The address is bad for good, unless the status says that it is for now (4.x.x). */
  readonly hard: boolean;
  /** Categories of ESPs that say the same, or something wider. */
  readonly categories: readonly string[];
}

export const BOUNCE_REASONS = {
  invalid_mailbox: { meaning: 'there is no such mailbox', hard: true, categories: ['invalid_mailbox'] },
  inactive_mailbox: {
    meaning: 'the mailbox is closed or disabled',
    hard: true,
    categories: ['invalid_mailbox'],
  },
  domain_not_found: {
    meaning: 'the domain takes no mail or is not there',
    hard: true,
    categories: ['domain_not_found', 'invalid_mailbox'],
  },
  mailbox_full: { meaning: 'the mailbox is full', hard: false, categories: ['mailbox_full'] },
  too_large: { meaning: 'the message is too large', hard: false, categories: ['too_large', 'content'] },
  authentication: {
    meaning: 'SPF, DKIM, DMARC or reverse DNS is not as it should be',
    hard: false,
    categories: ['policy', 'spam'],
  },
  reputation: {
    meaning: 'the sender’s address or domain is listed or ill-reputed',
    hard: false,
    categories: ['policy', 'spam'],
  },
  rate_limited: { meaning: 'too much in too short a time', hard: false, categories: ['policy', 'timeout'] },
  greylisted: {
    meaning: 'to be tried again later, on purpose',
    hard: false,
    categories: ['policy', 'timeout'],
  },
  spam: { meaning: 'it is taken for spam', hard: false, categories: ['spam', 'policy', 'content'] },
  content: {
    meaning: 'a link, an attachment or the form of the message',
    hard: false,
    categories: ['content', 'spam', 'policy'],
  },
  relay: {
    meaning: 'the server does not take mail for this domain',
    hard: false,
    categories: ['relay', 'policy'],
  },
  timeout: {
    meaning: 'the server could not be reached or did not answer',
    hard: false,
    categories: ['timeout', 'domain_not_found'],
  },
  policy: { meaning: 'refused by a rule of the receiving side', hard: false, categories: ['policy', 'spam'] },
  other: { meaning: 'nothing that is known here', hard: false, categories: ['other'] },
} as const satisfies { readonly [reason: string]: Reason };

export interface BounceRule {
  readonly reason: BounceReason;
  /** A regular expression (RE2) for the enhanced status code. */
  readonly status?: string;
  /** A regular expression (RE2) for the words, in lower case. */
  readonly text?: string;
}

export const BOUNCE_RULES: readonly BounceRule[] = [
  { reason: 'mailbox_full', status: '^[45]\\.2\\.2$' },
  { reason: 'too_large', status: '^[45]\\.(2\\.3|3\\.4)$' },
  { reason: 'authentication', status: '^[45]\\.7\\.(2[0-9]|30|31)$' },
  { reason: 'invalid_mailbox', status: '^[45]\\.1\\.(1|6|10)$' },
  { reason: 'domain_not_found', status: '^[45]\\.1\\.2$' },

  {
    reason: 'mailbox_full',
    text: '(mailbox|inbox|quota|storage|account).{0,40}(full|exceeded|over ?quota)|over ?quota|out of storage|insufficient (disk |system )?(space|storage)',
  },
  { reason: 'greylisted', text: 'gr[ae]y-?list' },
  {
    reason: 'rate_limited',
    text: 'rate[ -]?limit|throttl|too many (connections|messages|recipients|e?mails|sessions)|unusual rate|sending rate|exceeded.{0,30}(message|connection|rate) limit',
  },
  {
    reason: 'authentication',
    text: '\\bdmarc\\b|\\bdkim\\b|\\bspf\\b|unauthenticated|reverse dns|\\bptr\\b|authentication (check|fail|require)',
  },
  {
    reason: 'reputation',
    text: '(block|black|deny) ?-?list|spamhaus|barracuda|spamcop|\\bs25r\\b|\\b(rbl|dnsbl|pbl|sbl|xbl)\\b|reputation|listed (at|by|in|on)|(ip|address|host|domain).{0,40}(is|was|has been) (temporarily )?(blocked|banned|rejected)',
  },
  {
    reason: 'relay',
    text: 'relay(ing)?[ -]?(is )?(denied|not|access|prohibited)|unable to relay|not permitted to relay',
  },
  { reason: 'spam', text: '\\bspam|unsolicited|\\bjunk\\b|bulk mail|high probability' },
  {
    reason: 'too_large',
    text: '(message|mail|size).{0,30}(too (large|big)|exceeds?.{0,20}(size|limit|maximum))|size limit',
  },
  {
    reason: 'inactive_mailbox',
    text: '(mailbox|account|user|recipient|address).{0,40}(disabled|inactive|suspended|deactivated|closed|not active|expired)',
  },
  {
    reason: 'invalid_mailbox',
    text: '(user|mailbox|recipient|address|account|inbox).{0,60}(unknown|not found|not exist|n.t exist|no such|invalid|not valid|not known|not local)|no such (user|mailbox|recipient|address|account|person)|(unknown|invalid) (user|recipient|mailbox|address|account)|no mailbox|not our customer',
  },
  {
    reason: 'domain_not_found',
    text: '(host|domain|mx).{0,40}(not found|unknown|not exist|n.t exist|not resolve|invalid)|no (mx|mail exchanger|such domain)|nxdomain|null mx|dns (error|fail|lookup)',
  },
  {
    reason: 'timeout',
    text: 'timed? ?-?out|connection (refused|reset|lost|dropped|closed|died)|unreachable|no route|no answer from host|could not connect|temporarily unavailable',
  },
  { reason: 'content', text: 'virus|malware|phish|attachment|content|\\burls?\\b' },
  {
    reason: 'policy',
    text: 'polic(y|ies)|not (allowed|authori[sz]ed|permitted)|access denied|administrative|prohibited',
  },

  { reason: 'inactive_mailbox', status: '^5\\.2\\.1$' },
  { reason: 'invalid_mailbox', status: '^5\\.1\\.[03]$' },
  { reason: 'domain_not_found', status: '^5\\.4\\.4$' },
  { reason: 'content', status: '^5\\.6\\.' },
  { reason: 'policy', status: '^[45]\\.7\\.' },
  { reason: 'timeout', status: '^[45]\\.[34]\\.' },
];
