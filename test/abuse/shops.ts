import { setTimeout as delay } from 'node:timers/promises';
import type { Account } from './account.ts';
import { counterId } from './attacks/identity.ts';
import type { Client } from './client.ts';
import { UNBEARABLE } from './crm.ts';
import { rawDraft } from './story.ts';

/** A complaint or a bounce that a shop was told of, by its own event id. */
export interface ShopEvent {
  readonly source: string;
  readonly id: string;
  readonly recipient: string;
  readonly reason: 'complaint' | 'hard_bounce';
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
): Promise<ShopEvent[]> {
  const sent: ShopEvent[] = [];
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

async function tell(shop: Account, client: Client, run: string, number: number): Promise<ShopEvent> {
  const id = counterId(number);
  const unbearable = number === 1 ? 'recipient' : number % 5 === 2 ? 'text' : undefined;
  const name = unbearable === 'recipient' ? UNBEARABLE : 'customer.';
  const recipient = `${name}${number}.${shop.name}.${run}@example.com`;
  const event = {
    ...{ id, recipient, occurred_at: new Date().toISOString(), campaign: 'spring-sale' },
    ...(unbearable === undefined
      ? { type: 'complained', feedback_type: 'abuse' }
      : { type: 'bounced', bounce_class: 'hard', bounce_category: 'invalid_mailbox' }),
    ...(unbearable === 'text' ? { diagnostic: '550 5.1.1 <script src=//x.example></script>' } : {}),
  };
  const sentAt = Date.now();
  const draft = rawDraft(ESP, JSON.stringify(event), `msg_${shop.name}_${run}_${number}`);
  const { status, requestId } = await client.send(shop.request(ESP, draft, sentAt));
  const reason = unbearable === undefined ? 'complaint' : 'hard_bounce';
  const told = { source: shop.sourceOf(ESP), id, recipient, reason, sentAt, status, requestId } as const;
  return unbearable === undefined ? told : { ...told, unbearable };
}
