import type { EventType } from '@email-events/schemas';
import type { SimulatedEsp } from './credentials.ts';
import type { Domain, Programme, Recipient, Variant } from './population.ts';
import type { Random } from './random.ts';

/** One message as an ESP sends it; to several recipients only where the ESP reports them together (SES). */
export interface Message {
  readonly index: number;
  readonly esp: SimulatedEsp;
  readonly programme: Programme;
  readonly variant: Variant;
  /** Starts with the run's id; every id that the ESP gives the message contains it. */
  readonly id: string;
  readonly addressees: readonly Addressee[];
  /** Epoch milliseconds. */
  readonly sentAt: number;
}

export interface Addressee {
  readonly recipient: Recipient;
  /** How many messages the recipient has been sent with this one. */
  readonly messages: number;
  /** As the sender wrote it. */
  readonly address: string;
}

/** Something that happens to a message: one event for each addressee. */
export interface Step {
  /** Unique in the plan: what makes it *that* event, before any vendor's format. */
  readonly id: number;
  readonly message: Message;
  readonly type: EventType;
  /** Epoch milliseconds; whole seconds where the ESP knows no finer. */
  readonly at: number;
  readonly detail: StepDetail;
}

export interface StepDetail {
  readonly attempt?: number;
  readonly failure?: Failure;
  readonly dropReason?: 'bounced' | 'unsubscribed' | 'complained';
  readonly machine?: boolean;
  readonly client?: Client;
  readonly url?: string;
  readonly scope?: 'all' | 'stream';
}

/** A receiving server's refusal. */
export interface Failure {
  readonly bounceClass: 'hard' | 'soft';
  readonly category: 'invalid_mailbox' | 'domain_not_found' | 'mailbox_full' | 'policy';
  readonly code: number;
  readonly status: string;
  readonly text: string;
}

export interface Client {
  readonly userAgent: string;
  readonly ip: string;
}

/** The kinds of events that an ESP reports: of the rest of a message's life it says nothing. */
interface Vocabulary {
  readonly silentOn: readonly EventType[];
  readonly leaves: readonly ('all' | 'stream')[];
  readonly returns: readonly ('all' | 'stream')[];
  /** Reports a failure for good as a hard bounce only: it says nothing of the others. */
  readonly hardBouncesOnly?: boolean;
}

const silentOn = (types: readonly EventType[], returns: Vocabulary['returns'] = []): Vocabulary => ({
  silentOn: [...types, 'other', ...(returns.length === 0 ? (['subscribed'] as const) : [])],
  leaves: ['all'],
  returns,
});

const VOCABULARY: { readonly [esp in SimulatedEsp]: Vocabulary } = {
  sendgrid: { silentOn: ['other'], leaves: ['all', 'stream', 'stream'], returns: ['stream'] },
  mailgun: { silentOn: ['subscribed', 'other'], leaves: ['all'], returns: [] },
  postmark: { silentOn: ['queued', 'other'], leaves: ['stream'], returns: ['stream'] },
  ses: { silentOn: ['other'], leaves: ['all', 'stream'], returns: ['all', 'stream'] },
  'standard-webhooks': { silentOn: [], leaves: ['all', 'stream'], returns: ['all', 'stream'] },
  resend: silentOn(['unsubscribed']),
  loops: silentOn(['deferred', 'dropped', 'unsubscribed']),
  mailersend: silentOn([]),
  mailtrap: silentOn(['queued', 'deferred']),
  customerio: silentOn([], ['all']),
  postal: { ...silentOn(['queued', 'dropped', 'complained', 'unsubscribed']), hardBouncesOnly: true },
  zeptomail: silentOn(['queued', 'deferred', 'dropped', 'complained', 'unsubscribed']),
  sparkpost: silentOn([]),
  mandrill: silentOn([]),
  mailjet: { ...silentOn(['queued']), leaves: ['all', 'stream'] },
  brevo: silentOn([]),
  elasticemail: silentOn(['queued', 'deferred', 'dropped']),
  'unisender-go': silentOn(['deferred', 'dropped'], ['all']),
  smtp2go: silentOn(['deferred'], ['all']),
};

const DEFERRAL: Failure = {
  ...{ bounceClass: 'soft', category: 'policy', code: 451, status: '4.7.1' },
  text: '451 4.7.1 Too many messages from this host, try again later',
};
const SOFT: readonly Failure[] = [
  {
    ...{ bounceClass: 'soft', category: 'mailbox_full', code: 452, status: '4.2.2' },
    text: '452 4.2.2 The recipient’s mailbox is over quota',
  },
  {
    ...{ bounceClass: 'soft', category: 'policy', code: 550, status: '5.7.1' },
    text: '550 5.7.1 Message refused by local policy',
  },
];
const HARD: readonly Failure[] = [
  {
    ...{ bounceClass: 'hard', category: 'invalid_mailbox', code: 550, status: '5.1.1' },
    text: '550 5.1.1 No such user here',
  },
  {
    ...{ bounceClass: 'hard', category: 'domain_not_found', code: 550, status: '5.1.2' },
    text: '550 5.1.2 Host unknown: domain does not exist',
  },
];

const PEOPLE = [
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148',
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/137.0.0.0 Safari/537.36',
  'Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/137.0.0.0 Mobile Safari/537.36',
];
const MACHINE = 'Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via image proxy)';

/** Share of delivered messages that bounce later instead of being opened: the receiving host took them, and its mailbox server then refused them. */
const LATE_BOUNCE = 0.01;

/** Soft bounces in a row before a flaky recipient is delivered to again, and which of them ever is. */
const FLAKY_STREAK = 6;

/** A message's whole life up to `now`, in order. Steps have no id yet. */
export function lifeOf(message: Message, now: number, random: Random): Omit<Step, 'id'>[] {
  const steps: Omit<Step, 'id'>[] = [];
  const vocabulary = VOCABULARY[message.esp];
  let at = message.sentAt;
  const happen: Happen = (type, after, detail = {}) => {
    at = timeOf(type, detail, at + random.int(...after) * 1000, message.esp, random);
    if (at <= now && !vocabulary.silentOn.includes(type)) steps.push({ message, type, at, detail });
  };
  live(message, happen, vocabulary, random);
  const late = lateBounce(message, steps.at(-1), random.fork(message.index));
  if (late && late.at <= now) steps.push(late);
  return steps;
}

/** Chosen by a separate random stream, so that it shifts no other choice. */
function lateBounce(
  message: Message,
  last: Omit<Step, 'id'> | undefined,
  random: Random,
): Omit<Step, 'id'> | undefined {
  if (last?.type !== 'delivered' || !random.chance(LATE_BOUNCE)) return undefined;
  const detail = { failure: random.pick(HARD) };
  const at = timeOf('bounced', detail, last.at + random.int(30, 900) * 1000, message.esp, random);
  return { message, type: 'bounced', at, detail };
}

type Happen = (type: EventType, after: readonly [number, number], detail?: StepDetail) => void;
const AT_ONCE = [0, 0] as const;

function live(message: Message, happen: Happen, vocabulary: Vocabulary, random: Random): void {
  const single = message.addressees.length === 1;
  const [addressee] = message.addressees;
  if (!addressee) return;
  const { recipient: first } = addressee;
  if (single && first.habit === 'ordinary' && random.chance(0.012)) {
    happen('dropped', AT_ONCE, { dropReason: random.pick(['bounced', 'unsubscribed', 'complained']) });
    return;
  }
  happen('queued', AT_ONCE);
  if (random.chance(0.004)) happen('other', [2, 4]);
  const failure = fateOf(addressee, random);
  const attempts = random.chance(failure ? 0.4 : first.domain.deferred) ? random.int(1, 3) : 0;
  for (let attempt = 1; attempt <= attempts; attempt++) {
    happen('deferred', [20, 400], { attempt, failure: DEFERRAL });
  }
  if (failure) {
    if (vocabulary.hardBouncesOnly && failure.bounceClass !== 'hard') return;
    happen('bounced', [3, 60], { failure });
    return;
  }
  happen('delivered', [3, 30]);
  if (single) engage(message, first.domain, happen, vocabulary, random);
}

function fateOf({ recipient, messages }: Addressee, random: Random): Failure | undefined {
  if (recipient.habit === 'flaky') {
    const recovers = recipient.index % 2 === 0 && messages > FLAKY_STREAK;
    return recovers ? undefined : random.pick(SOFT);
  }
  if (random.chance(recipient.domain.hardBounce)) return random.pick(HARD);
  return random.chance(recipient.domain.softBounce) ? random.pick(SOFT) : undefined;
}

function engage(
  message: Message,
  home: Domain,
  happen: Happen,
  vocabulary: Vocabulary,
  random: Random,
): void {
  const { programme, variant } = message;
  if (random.chance(home.machineOpen)) {
    happen('opened', [2, 40], { machine: true, client: { userAgent: MACHINE, ip: address(random) } });
  }
  if (random.chance(home.complaint)) {
    happen('complained', [60, 3600]);
    return;
  }
  if (!random.chance(programme.open * variant.appeal)) return;
  const client = { userAgent: random.pick(PEOPLE), ip: address(random) };
  const human = { machine: false, client };
  happen('opened', [30, 5400], human);
  if (random.chance(0.2)) happen('opened', [60, 1800], human);
  const clicks = random.chance(programme.click * variant.appeal) ? random.int(1, 3) : 0;
  for (let click = 1; click <= clicks; click++) {
    happen('clicked', [3, 90], { ...human, url: urlOf(programme, random) });
  }
  if (programme.kind === 'campaign' && random.chance(0.06)) leave(happen, client, vocabulary, random);
}

function leave(happen: Happen, client: Client, vocabulary: Vocabulary, random: Random): void {
  const scope = random.pick(vocabulary.leaves);
  happen('unsubscribed', [5, 60], { scope, client });
  if (!random.chance(0.25)) return;
  const back = vocabulary.returns.includes(scope) && random.chance(0.8) ? scope : vocabulary.returns[0];
  if (back) happen('subscribed', [60, 900], { scope: back, client });
}

/** ESPs whose times are whole seconds. */
export const WHOLE_SECONDS: ReadonlySet<SimulatedEsp> = new Set<SimulatedEsp>([
  ...(['sendgrid', 'loops', 'mailtrap', 'customerio', 'zeptomail', 'sparkpost', 'mandrill'] as const),
  ...(['mailjet', 'elasticemail', 'unisender-go', 'smtp2go'] as const),
]);

/**
 * Times of what undoes each other never coincide, whichever ESPs report it: deliveries and resubscribes fall on even
 * seconds, soft bounces and unsubscribes on odd ones. So "which was later" has one answer.
 */
function timeOf(
  type: EventType,
  detail: StepDetail,
  time: number,
  esp: SimulatedEsp,
  random: Random,
): number {
  if (type === 'queued' || type === 'dropped') return time;
  const second = Math.floor(time / 1000) + 1;
  const odd = type === 'unsubscribed' || detail.failure?.bounceClass === 'soft';
  const even = type === 'delivered' || type === 'subscribed';
  const shift = (odd && second % 2 === 0) || (even && second % 2 === 1) ? 1 : 0;
  return (second + shift) * 1000 + (WHOLE_SECONDS.has(esp) ? 0 : random.int(0, 999));
}

function urlOf(programme: Programme, random: Random): string {
  const page = random.pick(['', 'offer', 'terms', 'account', 'search?q=t%C3%BCr&page=2']);
  return `https://shop.example/${programme.name}/${page}`;
}

// TEST-NET-3 (RFC 5737) and the documentation prefix of IPv6.
function address(random: Random): string {
  return random.chance(0.85)
    ? `203.0.113.${random.int(1, 254)}`
    : `2001:db8::${random.int(1, 0xfffe).toString(16)}`;
}
