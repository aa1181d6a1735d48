import { createRandom, type Draft, EVERY_ESP, type Step, senderOf } from '@email-events/dev/simulate';
import { type EventType, recipientKey } from '@email-events/schemas';

/** The event that an attacker wants an ESP to report. */
export interface Story {
  readonly type: EventType;
  readonly recipient: string;
  /** Of an event id: the same number in the same run is the same event. */
  readonly id: number;
  /** Part of every id, lower-case letters and digits. */
  readonly run: string;
  /** Epoch milliseconds; default: some minutes ago. */
  readonly at?: number;
  readonly subject?: string;
  readonly campaign?: string;
  /** The receiving server's answer, for which the bounce is a hard one. */
  readonly diagnostic?: string;
  readonly scope?: 'all' | 'stream';
  readonly stream?: string;
}

const DOMAIN = {
  ...{ name: 'example.com', share: 1, deferred: 0, hardBounce: 0, softBounce: 0, complaint: 0 },
  ...{ machineOpen: 0, mx: 'mx1.example.com' },
};
const RECENTLY_MS = 600_000;

/** A request of this ESP that tells the stories, as the simulator's ESPs write it: what is not theirs to tell is left to them. */
export function draftOf(esp: string, stories: readonly [Story, ...Story[]]): Draft {
  const [first] = stories;
  const entries = stories.map((story) => ({ step: stepOf(esp, story), again: false }));
  const random = createRandom(first.id);
  return senderOf(esp).write(entries, { runId: first.run, requestIndex: first.id, at: Date.now(), random });
}

function stepOf(esp: string, story: Story): Step {
  const { type, recipient, id, run, at = Date.now() - RECENTLY_MS, subject = 'Your order' } = story;
  const { campaign, diagnostic = '550 5.1.1 No such user here', scope = 'all', stream = 'offers' } = story;
  const variant = { name: campaign === undefined ? '' : 'A', subject, appeal: 1 };
  const failure = { bounceClass: 'hard', category: 'invalid_mailbox', code: 550, status: '5.1.1' } as const;
  const client = { userAgent: 'Mozilla/5.0', ip: '203.0.113.9' };
  // Whole seconds: not all ESPs know finer ones.
  const moment = Math.floor(at / 1_000) * 1_000;
  return {
    ...{ id, type, at: moment },
    message: {
      ...{ index: id, esp, variant, id: `${run}-${id}`, sentAt: moment },
      programme: {
        ...{ name: campaign ?? 'receipts', kind: campaign === undefined ? 'transactional' : 'campaign' },
        ...{ variants: [variant], stream, sender: 'orders@shop.example', tags: ['order'] },
        ...{ from: 0, to: 1, share: 1, open: 1, click: 1 },
      },
      addressees: [
        {
          recipient: { index: id, key: recipientKey(recipient), domain: DOMAIN, habit: 'ordinary' },
          ...{ messages: 1, address: recipient },
        },
      ],
    },
    detail: {
      ...(type === 'bounced' ? { failure: { ...failure, text: diagnostic } } : {}),
      ...(type === 'unsubscribed' || type === 'subscribed' ? { scope, client } : {}),
      ...(type === 'opened' || type === 'clicked' ? { machine: false, client } : {}),
      ...(type === 'clicked' ? { url: 'https://shop.example/' } : {}),
    },
  };
}

/** A request of any content in the place where this ESP has its events. */
export function rawDraft(esp: string, content: string, id: string): Draft {
  if (esp === 'mailgun') return { id, body: `{"event-data":${content}}` };
  if (esp === 'unisender-go') return { id, body: `{"events_by_user":[{"user_id":456,"events":${content}}]}` };
  // A line of HTTP holds no more.
  if (esp === 'elasticemail') return { id, body: `status=${encodeURIComponent(content.slice(0, 2_000))}` };
  return { id, body: content };
}

/** The same request with other content, which is JSON (for Elastic Email: of its parameters). */
export function rewritten(esp: string, draft: Draft, rewrite: (json: string) => string): Draft {
  const text = draft.body.toString();
  if (esp === 'elasticemail') {
    const parameters = JSON.stringify(Object.fromEntries(new URLSearchParams(text)));
    return { ...draft, body: new URLSearchParams(parametersIn(rewrite(parameters))).toString() };
  }
  return { ...draft, body: rewrite(text) };
}

function parametersIn(json: string): [string, string][] {
  const parsed = JSON.parse(json) as { readonly [name: string]: unknown };
  return Object.entries(parsed).map(([name, value]) => [
    name,
    typeof value === 'string' ? value : JSON.stringify(value),
  ]);
}

/** The same request with every value of its JSON, from the inside out, as `change` has it. */
export function changed(esp: string, draft: Draft, change: (value: unknown) => unknown): Draft {
  return rewritten(esp, draft, (json) => JSON.stringify(walk(JSON.parse(json), change)));
}

function walk(value: unknown, change: (value: unknown) => unknown): unknown {
  if (Array.isArray(value)) return change(value.map((inner) => walk(inner, change)));
  if (typeof value !== 'object' || value === null) return change(value);
  return change(
    Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, walk(inner, change)])),
  );
}

export const ALL_ESPS: readonly string[] = EVERY_ESP;
