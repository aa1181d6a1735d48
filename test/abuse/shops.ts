import { setTimeout as delay } from 'node:timers/promises';
import type { Account, Client } from './account.ts';
import { counterId } from './attacks/events.ts';
import { UNBEARABLE } from './crm.ts';
import { rawDraft } from './story.ts';

/** The events of one recipient that a shop got in one request. */
export interface ShopReport {
  readonly source: string;
  /** Of its events. */
  readonly ids: readonly string[];
  readonly recipient: string;
  /** The suppression that follows: `reason` or `reason:scope`. */
  readonly reason: string;
  /** Epoch milliseconds. */
  readonly sentAt: number;
  readonly status: number;
  readonly requestId: string | null;
  /** The CRM cannot take this recipient's state: it says why. */
  readonly unbearable?: 'text' | 'recipient';
}

const ESP = 'standard-webhooks';

/**
 * Two honest shops that speak for themselves and count their events from the same number. Some of their mail is refused in words that a
 * firewall takes for an attack, and one recipient is too much for the CRM.
 */
export async function sendShops(
  shops: readonly Account[],
  client: Client,
  { runId, count, everyMs, signal }: ShopOptions,
): Promise<ShopReport[]> {
  const sent: ShopReport[] = [];
  for (let number = 0; number < count && !signal.aborted; number++) {
    for (const shop of shops) sent.push(await tell(shop, client, runId, number));
    await delay(everyMs, undefined, { signal }).catch(() => {});
  }
  return sent;
}

interface ShopOptions {
  readonly runId: string;
  /** Of events, each shop. */
  readonly count: number;
  readonly everyMs: number;
  readonly signal: AbortSignal;
}

async function tell(shop: Account, client: Client, run: string, number: number): Promise<ShopReport> {
  const { unbearable, reason, events }: Kind = KINDS[kindOf(number)];
  const recipient = shopRecipient(shop, run, number);
  const sentAt = Date.now();
  const told = events.map((event, i) => ({
    id: i === 0 ? counterId(number) : `${counterId(number)}-${i}`,
    // Some minutes apart, as tries are.
    ...{ recipient, occurred_at: new Date(sentAt - i * 300_000).toISOString(), campaign: 'spring-sale' },
    ...event,
  }));
  const draft = rawDraft(ESP, JSON.stringify(told), `msg_${shop.name}_${run}_${number}`);
  const { status, requestId } = await client.send(shop.request(ESP, draft, sentAt));
  const [source, ids] = [shop.sourceOf(ESP), told.map(({ id }) => id)];
  return { source, ids, recipient, reason, sentAt, status, requestId, ...(unbearable && { unbearable }) };
}

/** A suppressed recipient whom attackers may try to bring back. */
export function shopRecipient(shop: Account, run: string, number: number): string {
  const { unbearable }: Kind = KINDS[kindOf(number)];
  return `${unbearable === 'recipient' ? UNBEARABLE : 'customer.'}${number}.${shop.name}.${run}@example.com`;
}

interface Kind {
  readonly reason: string;
  readonly events: readonly object[];
  readonly unbearable?: 'text' | 'recipient';
}

const HARD = { type: 'bounced', bounce_class: 'hard', bounce_category: 'invalid_mailbox' };
const SOFT = { type: 'bounced', bounce_class: 'soft', bounce_category: 'mailbox_full' };
/** Every way to suppress a recipient, once. */
const KINDS = {
  complaint: { reason: 'complaint', events: [{ type: 'complained', feedback_type: 'abuse' }] },
  unsubscribe: { reason: 'unsubscribe', events: [{ type: 'unsubscribed', scope: 'all' }] },
  stream: { reason: 'unsubscribe:offers', events: [{ type: 'unsubscribed', scope: 'offers' }] },
  // As many as suppress.
  softBounces: { reason: 'soft_bounces', events: Array.from({ length: 5 }, () => SOFT) },
  scripted: {
    ...{ reason: 'hard_bounce', unbearable: 'text' },
    events: [{ ...HARD, diagnostic: '550 5.1.1 <script src=//x.example></script>' }],
  },
  unbearable: { reason: 'hard_bounce', unbearable: 'recipient', events: [HARD] },
} as const satisfies { readonly [name: string]: Kind };

const ORDER = ['complaint', 'unsubscribe', 'scripted', 'stream', 'softBounces'] as const;

function kindOf(number: number): keyof typeof KINDS {
  return number === 1 ? 'unbearable' : (ORDER[number % ORDER.length] ?? 'complaint');
}
