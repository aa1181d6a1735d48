import { findAdapter } from '@email-events/esps';
import type { SenderCredentials, SimulatedEsp } from './credentials.ts';
import type { Plan } from './plan.ts';
import type { PlannedRequest } from './planned-request.ts';
import { senders } from './senders/index.ts';
import { SIGNING_ANEW, type Signed, type Signer } from './senders/sender.ts';

/** A signed request, ready to be sent. */
export interface WireRequest {
  readonly method: 'POST' | 'GET';
  readonly path: string;
  /** Lower-case names. */
  readonly headers: { readonly [name: string]: string };
  readonly body: Buffer;
}

export interface OutgoingRequest {
  readonly planned: PlannedRequest;
  readonly wire: WireRequest;
}

export interface WireOptions {
  readonly credentials: SenderCredentials;
  /** Names of the sources, where they differ from the ESPs'. */
  readonly sources?: { readonly [esp in SimulatedEsp]?: string } | undefined;
  /** Epoch milliseconds; what is dated is signed with it. */
  readonly now: () => number;
}

const WEBHOOK_PATH = '/webhooks/email-events/';
const NO_SOURCE = 'nobody-configured-this';
/** Larger than what the ingress takes by default. */
const tooLarge = (esp: string) => (findAdapter(esp)?.http.maxBodyBytes ?? 1_048_576) + 50_000;

/**
 * Signs a plan's requests one by one, as they are asked for. For a load test, collect them first: `[...signedRequests()]`
 * (within the five minutes that a Standard Webhooks signature lasts).
 * The same clock, credentials and plan give the same bytes, but for SendGrid's signatures: ECDSA is random by design.
 */
export function* signedRequests(plan: Plan, options: WireOptions): Generator<OutgoingRequest> {
  const signers = new Map<SimulatedEsp, Signer>();
  const sent = new Map<number, WireRequest>();
  for (const planned of plan.requests()) {
    const { esp, repeats } = planned;
    const signer = signers.get(esp) ?? senders[esp].signer(options.credentials);
    signers.set(esp, signer);
    const earlier = repeats === undefined ? undefined : sent.get(repeats);
    const wire = earlier && !SIGNING_ANEW.includes(esp) ? earlier : wireOf(planned, signer, options);
    if (repeats !== undefined) sent.delete(repeats);
    if (planned.repeatedLater) sent.set(planned.index, wire);
    yield { planned, wire };
  }
}

function wireOf(planned: PlannedRequest, signer: Signer, { sources, now }: WireOptions): WireRequest {
  const { esp, kind } = planned;
  const signed = signer(planned.draft, now(), planned.flaw);
  const source = kind === 'unknown-source' ? NO_SOURCE : (sources?.[esp] ?? esp);
  const { method = 'POST', query = '' } = signed;
  return { method, path: WEBHOOK_PATH + source + query, ...spoiled(esp, kind, signed) };
}

function spoiled(
  esp: SimulatedEsp,
  kind: PlannedRequest['kind'],
  { headers, body }: Signed,
): Pick<WireRequest, 'headers' | 'body'> {
  if (kind === 'wrong-content-type') return { headers: { ...headers, 'content-type': 'image/png' }, body };
  if (kind !== 'too-large') return { headers, body };
  return { headers, body: Buffer.concat([body, Buffer.alloc(tooLarge(esp), ' ')]) };
}
