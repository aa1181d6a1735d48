import { createHash } from 'node:crypto';
import { type Backoff, backoffMs, pause } from '@email-events/core';
import { PipelineError } from '@email-events/core/errors';
import { CrmError, HttpClient, type SuppressedContact, standardWebhook } from '@email-events/sink-crm';
import type { PipelineConfig } from '../services.ts';

/** Somebody whom only the CRM suppresses. */
export interface OptOut {
  /** Recipient key. */
  readonly recipient: string;
  /** When, if the CRM tells a time that can be; else when it was seen counts. Epoch milliseconds. */
  readonly since: number | undefined;
  readonly seenAt: number;
  readonly reason: string | undefined;
  readonly because: SuppressedContact['because'] | undefined;
}

/** Of the CRM's own words: they become the event's `esp_event_type`, a name and no text. Characters. */
const LONGEST_REASON = 100;

/** A canonical event (ingress/esps, "The canonical JSON event"). The same opt-out is the same event, however often it is brought. */
export function eventOf(consumer: string, optOut: OptOut): object {
  const { recipient, seenAt, reason, because } = optOut;
  const since = isTime(optOut.since) ? optOut.since : undefined;
  const id = createHash('sha256')
    .update(JSON.stringify(['crm', consumer, recipient, since ?? null]))
    .digest('hex');
  const said = {
    ...{ id: id.slice(0, 32), recipient, occurred_at: new Date(since ?? seenAt).toISOString() },
    esp_event_type: reason?.slice(0, LONGEST_REASON).toWellFormed() || 'suppressed',
    metadata: { crm: consumer },
  };
  if (because === 'complaint') return { ...said, type: 'complained' };
  if (because === 'hard_bounce')
    return { ...said, type: 'bounced', bounce_class: 'hard', bounce_category: 'other' };
  return { ...said, type: 'unsubscribed', scope: 'all', method: consumer };
}

/** One that a date can have: what a CRM tells may be any number. */
const isTime = (ms: number | undefined): ms is number =>
  typeof ms === 'number' && !Number.isNaN(new Date(ms).getTime());

export interface Upstream {
  /** Of the webhook. */
  readonly url: URL;
  readonly secrets: PipelineConfig['sources'][string]['secrets'];
}

/**
 * The webhook by which opt-outs are brought back: a source of canonical events, which must be signed and may suppress all mail. `ingress` is the
 * ingress's address. Throws CLI_USAGE.
 */
export function upstreamOf({ sources }: PipelineConfig, name: string, ingress: string): Upstream {
  const source = Object.hasOwn(sources, name) ? sources[name] : undefined;
  if (!source)
    throw usage(`--upstream: no source is called ${name}; there are: ${Object.keys(sources).join(', ')}`);
  if (source.esp !== 'standard-webhooks')
    throw usage(`--upstream: the source ${name} must have esp: standard-webhooks, for canonical events`);
  if (source.secrets.length === 0) throw usage(`--upstream: the source ${name} has no secret to sign with`);
  if (source.suppresses !== 'all')
    throw usage(`--upstream: the source ${name} may not suppress all mail: it needs suppresses: all`);
  const url = URL.parse(`${ingress.replace(/\/+$/, '')}/webhooks/email-events/${name}`);
  if (!url || !['http:', 'https:'].includes(url.protocol))
    throw usage('--ingress: an address is needed: https://…');
  const isHere = /^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname);
  if (url.protocol === 'http:' && !isHere)
    throw usage('--ingress: plain http is refused off loopback: use https');
  return { url, secrets: source.secrets };
}

/** Events of a request. */
const AT_A_TIME = 100;
const MOST_FAILURES = 10;
const BACKOFF: Backoff = { firstMs: 500, longestMs: 30_000 };
const LONGEST_MS = 600_000;

/** Brings them upstream, request by request, each signed. Returns how many the ingress has taken. Throws CLI_INGRESS_REFUSED. */
export async function bringUpstream(
  { url, secrets }: Upstream,
  consumer: string,
  optOuts: readonly OptOut[],
  { signal, onSent }: { readonly signal: AbortSignal; readonly onSent: (events: number) => void },
): Promise<number> {
  const client = new HttpClient({ timeoutMs: 30_000, connections: 1, now: Date.now });
  let sent = 0;
  try {
    while (sent < optOuts.length && !signal.aborted) {
      const part = optOuts.slice(sent, sent + AT_A_TIME);
      const body = JSON.stringify(part.map((one) => eventOf(consumer, one)));
      const id = `crm_${createHash('sha256').update(body).digest('base64url').slice(0, 32)}`;
      const post = () => {
        const headers = {
          'content-type': 'application/json',
          ...standardWebhook(secrets, id, body, Date.now()),
        };
        return client.exchange({ method: 'POST', url, headers, body }, signal);
      };
      await untilTaken(post, signal);
      sent += part.length;
      onSent(sent);
    }
    return sent;
  } catch (error) {
    if (signal.aborted) return sent;
    throw error;
  } finally {
    await client.close();
  }
}

interface Answer {
  readonly status: number;
  readonly headers: { readonly [name: string]: string | string[] | undefined };
}

/** Again while the ingress asks for it, or does not answer: what it has taken already it takes for a repetition. */
async function untilTaken(post: () => Promise<Answer>, signal: AbortSignal): Promise<void> {
  for (let failures = 1; ; failures++) {
    const outcome = await post().catch((error: unknown) => {
      if (error instanceof CrmError) return error;
      throw error;
    });
    if (!(outcome instanceof Error) && outcome.status >= 200 && outcome.status < 300) return;
    const status = outcome instanceof Error ? undefined : outcome.status;
    const later = status === undefined || status === 429 || status >= 500;
    if (!later || failures > MOST_FAILURES) {
      const said = outcome instanceof Error ? outcome.message : `it answered ${outcome.status}`;
      throw new PipelineError(
        'CLI_INGRESS_REFUSED',
        later ? 'retry' : 'reject',
        `the ingress took no opt-outs: ${said}`,
      );
    }
    await pause(Math.max(asked(outcome), backoffMs(failures, BACKOFF)), signal);
    signal.throwIfAborted();
  }
}

function asked(outcome: Answer | Error): number {
  if (outcome instanceof Error) return 0;
  const seconds = Number(outcome.headers['retry-after']);
  return Number.isFinite(seconds) ? Math.min(LONGEST_MS, Math.max(0, seconds * 1_000)) : 0;
}

const usage = (message: string) => new PipelineError('CLI_USAGE', 'reject', message);
