import type { Signer as Account } from '@email-events/esps/accounts';
import type { FurtherEsp } from '../credentials.ts';
import type { Step } from '../lifecycle.ts';
import { PROGRAMMES } from '../population.ts';
import type { Random } from '../random.ts';
import type { BadDraft, Draft, Entry, EventNames, Sender, Signed, WriteContext } from './sender.ts';

/** The differences between ESPs that write each event by itself and put nothing of the signature into it. */
export interface Description {
  readonly esp: FurtherEsp;
  /** The proof of a request: a signature over its content, or a credential that is the same in each. */
  readonly proof: 'signature' | 'credential';
  /** Signs with this secret. */
  account(secret: string): Account;
  /** One event in the ESP's words. An empty address stands for none. */
  event(entry: Entry, context: WriteContext): object;
  /** Entries of its next request; absent: one. */
  batchSize?(random: Random): number;
  /** The body before it is signed; absent: the JSON of the only event. */
  body?(events: readonly unknown[], random: Random): string;
  /** Absent: no names, and who leaves, leaves everything. */
  names?(step: Step): EventNames;
  /** Cannot be read, however well it is signed; absent: JSON that ends too early. */
  garbage?(context: WriteContext): string;
  /** Without its proof; absent: without its headers. */
  unproven?(signed: Signed): Signed;
}

// The longest window is Customer.io's, of a week.
const OLD_MS = 9 * 86_400_000;

export function describedSender(description: Description): Sender {
  const { esp, body = ([event]) => JSON.stringify(event) } = description;
  const events = (entries: readonly Entry[], context: WriteContext) =>
    entries.map((entry) => description.event(entry, context));
  const draft = (id: string, events: readonly unknown[], { random }: WriteContext): Draft => ({
    id,
    body: body(events, random),
  });
  return {
    esp,
    batchSize: (random) => description.batchSize?.(random) ?? 1,
    write: (entries, context) => draft(idOf(entries, context), events(entries, context), context),
    signer: (credentials) => signerOf(description, credentials.further[esp]),
    names: description.names?.bind(description) ?? everythingLeft,
    garbage: (context) => ({
      code: 'NORMALIZE_BODY_UNREADABLE',
      draft: {
        id: badId(context),
        body: description.garbage?.(context) ?? `{"run":"${context.runId}","eve`,
      },
    }),
    badItem(entries, context) {
      const [code, bad] = badEvent(description, entries.length > 0, context);
      const all: unknown[] = events(entries, context);
      all.splice(context.random.int(0, all.length), 0, bad);
      return { code, draft: draft(badId(context), all, context) };
    },
  };
}

export const everythingLeft = ({ detail }: Step): EventNames => ({
  scope: detail.scope === undefined ? undefined : 'all',
});

/** Of a campaign's messages, its name. */
export const campaignOf = ({ message: { programme } }: Step): string | undefined =>
  programme.kind === 'campaign' ? programme.name : undefined;

/** The ESP's id of the event, the same however often it is told. */
export const eventIdOf = (step: Step, { runId }: WriteContext): string => `${runId}-event-${step.id}`;

/** Where a request carries one event, its id belongs to the event. */
function idOf(entries: readonly Entry[], { runId, requestIndex }: WriteContext): string {
  const step = entries[0]?.step;
  // A forged message has no number.
  return step && step.id >= 0 ? `msg_${runId}_${step.id}` : `msg_${runId}_forged_${requestIndex}`;
}

const badId = ({ runId, requestIndex }: WriteContext) => `msg_${runId}_bad_${requestIndex}`;

function badEvent(
  description: Description,
  isBatch: boolean,
  context: WriteContext,
): [BadDraft['code'], unknown] {
  const { runId, requestIndex, at, random } = context;
  if (isBatch && random.chance(0.5)) return ['NORMALIZE_ITEM_INVALID', `${runId} is no event`];
  const programme = random.pick(PROGRAMMES);
  const message = {
    ...{ index: 0, esp: description.esp, programme, variant: random.pick(programme.variants) },
    ...{ id: `${runId}-bad-${requestIndex}`, addressees: [], sentAt: at },
  };
  const step: Step = { id: -1, message, type: 'delivered', at, detail: {} };
  return ['NORMALIZE_RECIPIENT_MISSING', description.event({ step, again: false }, context)];
}

function signerOf(description: Description, secret: string): ReturnType<Sender['signer']> {
  const { proof, account, unproven = withoutHeaders } = description;
  const own = account(secret);
  const stranger = proof === 'credential' ? account(`${secret}x`) : own;
  return ({ id, body }, now, flaw) => {
    const at = flaw === 'stale' ? now - OLD_MS : now;
    const signing = flaw === 'wrong' ? stranger : own;
    const request = signing.sign({ id, body, at, url: '' });
    const signed: Signed = {
      headers: definedOnly(request.headers),
      // Changed on its way, where the content is signed.
      body: flaw === 'wrong' && stranger === own ? Buffer.concat([request.body, SPACE]) : request.body,
      ...(request.method === 'GET' ? { method: 'GET', query: request.url } : {}),
    };
    return flaw === 'missing' ? unproven(signed) : signed;
  };
}

const SPACE = Buffer.from(' ');

function definedOnly(headers: { readonly [name: string]: string | undefined }): Signed['headers'] {
  return Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== undefined)) as {
    [name: string]: string;
  };
}

function withoutHeaders({ headers, ...signed }: Signed): Signed {
  return { ...signed, headers: { 'content-type': headers['content-type'] ?? 'application/json' } };
}
