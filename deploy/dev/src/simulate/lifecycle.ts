import type {
  Addressee,
  Client,
  Domain,
  Failure,
  Message,
  Programme,
  Random,
  Scope,
  Speech,
  Step,
  StepDetail,
} from '@email-events/esps/accounts/kit/speech';
import type { EventType } from '@email-events/schemas';
import { senderOf } from './sender.ts';

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
  const { speech } = senderOf(message.esp);
  let at = message.sentAt;
  const happen: Happen = (type, after, detail = {}) => {
    at = timeOf(type, detail, at + random.int(...after) * 1000, speech, random);
    if (at <= now && !speech.silentOn.includes(type)) steps.push({ message, type, at, detail });
  };
  live(message, happen, speech, random);
  const late = lateBounce(message, steps.at(-1), speech, random.fork(message.index));
  if (late && late.at <= now) steps.push(late);
  return steps;
}

/** Chosen by a separate random stream, so that it shifts no other choice. */
function lateBounce(
  message: Message,
  last: Omit<Step, 'id'> | undefined,
  speech: Speech,
  random: Random,
): Omit<Step, 'id'> | undefined {
  if (last?.type !== 'delivered' || !random.chance(LATE_BOUNCE)) return undefined;
  const detail = { failure: random.pick(HARD) };
  const at = timeOf('bounced', detail, last.at + random.int(30, 900) * 1000, speech, random);
  return { message, type: 'bounced', at, detail };
}

type Happen = (type: EventType, after: readonly [number, number], detail?: StepDetail) => void;
const AT_ONCE = [0, 0] as const;

function live(message: Message, happen: Happen, speech: Speech, random: Random): void {
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
    if (speech.hardBouncesOnly && failure.bounceClass !== 'hard') return;
    happen('bounced', [3, 60], { failure });
    return;
  }
  happen('delivered', [3, 30]);
  if (single) engage(message, first.domain, happen, speech, random);
}

function fateOf({ recipient, messages }: Addressee, random: Random): Failure | undefined {
  if (recipient.habit === 'flaky') {
    const recovers = recipient.index % 2 === 0 && messages > FLAKY_STREAK;
    return recovers ? undefined : random.pick(SOFT);
  }
  if (random.chance(recipient.domain.hardBounce)) return random.pick(HARD);
  return random.chance(recipient.domain.softBounce) ? random.pick(SOFT) : undefined;
}

function engage(message: Message, home: Domain, happen: Happen, speech: Speech, random: Random): void {
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
  if (programme.kind === 'campaign' && random.chance(0.06)) leave(happen, client, speech, random);
}

function leave(happen: Happen, client: Client, speech: Speech, random: Random): void {
  const scope = random.pick<Scope>(speech.leaves ?? ['all']);
  happen('unsubscribed', [5, 60], { scope, client });
  if (!random.chance(0.25)) return;
  const { returns = [] } = speech;
  const back = returns.includes(scope) && random.chance(0.8) ? scope : returns[0];
  if (back) happen('subscribed', [60, 900], { scope: back, client });
}

/**
 * Times of what undoes each other never coincide, whichever ESPs report it: deliveries and resubscribes fall on even
 * seconds, soft bounces and unsubscribes on odd ones. So "which was later" has one answer.
 */
function timeOf(
  type: EventType,
  detail: StepDetail,
  time: number,
  { wholeSeconds }: Speech,
  random: Random,
): number {
  if (type === 'queued' || type === 'dropped') return time;
  const second = Math.floor(time / 1000) + 1;
  const odd = type === 'unsubscribed' || detail.failure?.bounceClass === 'soft';
  const even = type === 'delivered' || type === 'subscribed';
  const shift = (odd && second % 2 === 0) || (even && second % 2 === 1) ? 1 : 0;
  return (second + shift) * 1000 + (wholeSeconds ? 0 : random.int(0, 999));
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
