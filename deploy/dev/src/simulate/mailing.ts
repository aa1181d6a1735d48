import type {
  Addressee,
  Message,
  Programme,
  Random,
  Recipient,
  Step,
} from '@email-events/esps/accounts/kit/speech';
import { lifeOf } from './lifecycle.ts';
import { createRecipient, PROGRAMMES, spellingOf } from './population.ts';
import { senderOf } from './sender.ts';

export interface MailingOptions {
  readonly seed: number;
  /** Distinct events wanted. */
  readonly events: number;
  readonly esps: readonly string[];
  readonly runId: string;
  /** Epoch milliseconds; nothing happens after it. */
  readonly startTime: number;
  /** How far back the first message lies. */
  readonly spanMs: number;
}

/** Messages in the order in which they were sent, made as they are asked for. */
export interface Mailing {
  /** When the next message goes out; undefined: enough has happened. */
  readonly nextAt: number | undefined;
  /** The next message's life. */
  next(): Step[];
  /** A message that no ESP ever sent. */
  forged(esp: string): Step;
}

/** Measured; only spreads the messages over time. */
const EVENTS_PER_MESSAGE = 2.9;
const MESSAGES_PER_RECIPIENT = 4;
/** Messages of the last few percent of the time would have no time to be read. */
const SENDING_TIME = 0.94;
const FLAKY_SHARE = 0.02;
const FLAKY_MESSAGES = 8;

export function createMailing(options: MailingOptions, random: Random): Mailing {
  const { events, runId, startTime, spanMs } = options;
  const expected = Math.max(1, Math.ceil(events / EVENTS_PER_MESSAGE));
  const people = createPeople(expected, runId, random.fork(1));
  let messages = 0;
  let steps = 0;
  let left = events;

  const progress = () => Math.min(1, messages / expected) * SENDING_TIME;
  const sentAt = () => Math.floor(startTime - spanMs * (1 - progress()));
  const write = (esp: string, at: number, chosen: readonly Chosen[]): Message => {
    const programme = programmeOf(esp, progress(), random);
    return {
      index: messages,
      esp,
      programme,
      variant: random.pick(programme.variants),
      id: `${runId}-${messages}-${random.hex(12)}`,
      addressees: chosen.map((one) => ({ ...one, address: spellingOf(one.recipient, random) })),
      sentAt: at - (at % 1000) + (senderOf(esp).speech.wholeSeconds ? 0 : random.int(0, 999)),
    };
  };

  return {
    get nextAt() {
      return left > 0 ? sentAt() : undefined;
    },
    next() {
      const esp = random.weighted(options.esps, (name) => senderOf(name).speech.use.share);
      const { severalAddressees } = senderOf(esp).speech;
      const recipients = severalAddressees && random.chance(0.03) ? people.several() : [people.one()];
      const message = write(esp, sentAt(), recipients);
      messages++;
      const life: Step[] = [];
      for (const step of lifeOf(message, startTime, random)) {
        if (left <= 0) break;
        left -= recipients.length;
        life.push({ ...step, id: steps++ });
      }
      return life;
    },
    forged(esp) {
      const message = write(esp, startTime, [
        { recipient: createRecipient(0, 'ordinary', `${runId}-forged`, random), messages: 1 },
      ]);
      return { id: -1, message, type: 'delivered', at: message.sentAt, detail: {} };
    },
  };
}

function programmeOf(esp: string, time: number, random: Random): Programme {
  const kind = random.chance(senderOf(esp).speech.use.campaigns) ? 'campaign' : 'transactional';
  const active = PROGRAMMES.filter(
    (programme) => programme.kind === kind && programme.from <= time && time < programme.to,
  );
  return random.weighted(active, ({ share }) => share);
}

type Chosen = Pick<Addressee, 'recipient' | 'messages'>;

/** Ordinary recipients, some of whom get far more mail than others, and a few whose mailboxes never work. */
function createPeople(messages: number, runId: string, random: Random) {
  const ordinary = Math.max(20, Math.ceil(messages / MESSAGES_PER_RECIPIENT));
  const flaky = Math.max(2, Math.ceil((messages * FLAKY_SHARE) / FLAKY_MESSAGES));
  const known = new Map<number, Chosen>();
  const choose = (index: number, habit: Recipient['habit']): Chosen => {
    const before = known.get(index);
    const recipient = before?.recipient ?? createRecipient(index, habit, runId, random.fork(index + 2));
    const chosen = { recipient, messages: (before?.messages ?? 0) + 1 };
    known.set(index, chosen);
    return chosen;
  };
  const anyone = () => Math.min(random.int(0, ordinary - 1), random.int(0, ordinary - 1));
  return {
    one: () =>
      random.chance(FLAKY_SHARE)
        ? choose(ordinary + random.int(0, flaky - 1), 'flaky')
        : choose(anyone(), 'ordinary'),
    several: () =>
      [...new Set(Array.from({ length: random.int(2, 4) }, anyone))].map((index) =>
        choose(index, 'ordinary'),
      ),
  };
}
