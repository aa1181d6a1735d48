import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { Webhook, WebhookVerificationError } from 'standardwebhooks';
import { type Fault, FaultPlan } from './faults.ts';
import { renderPage } from './page.ts';
import { Counts, openStore, type ReceiverStats, readState, type StateStore } from './store.ts';

export { FAULT_KINDS, type Fault, type FaultKind } from './faults.ts';
export type { ReceivedReason, ReceivedState, ReceiverStats } from './store.ts';

import express, { type Express, type Request, type Response } from 'express';

export interface ReceiverOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** whsec_…; a call signed by any of them is genuine. At least one. */
  readonly secrets: readonly string[];
  /** Folder of its file; made if missing. One receiver at a time. */
  readonly dataDir: string;
  /** PEM. HTTPS with them; plain HTTP, which is for loopback, without. */
  readonly tls?: { readonly cert: string; readonly key: string } | undefined;
}

export interface Receiver {
  readonly port: number;
  stats(): ReceiverStats;
  /** Cuts calls under way, closes the file. May be called twice. */
  stop(): Promise<void>;
}

/** Takes suppressions as a CRM's signed HTTP endpoint would, keeps the newest state of each recipient and shows it. */
export async function startReceiver(options: ReceiverOptions): Promise<Receiver> {
  const { host, port, secrets, dataDir, tls } = options;
  const verify = createVerifier(secrets);
  const store = await openStore(dataDir);
  const counts = new Counts();
  const app = createApp({ verify, store, counts, faults: new FaultPlan() });
  const server = tls ? createTlsServer(tls, app) : createServer(app);
  try {
    await listen(server, host, port);
  } catch (error) {
    await store.close();
    throw error;
  }
  let stopped: Promise<void> | undefined;
  return {
    port: (server.address() as AddressInfo).port,
    stats: () => counts.stats(store),
    stop: () => {
      stopped ??= close(server).then(() => store.close());
      return stopped;
    },
  };
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

export interface AppParts {
  readonly verify: Verify;
  readonly store: StateStore;
  readonly counts: Counts;
  readonly faults: FaultPlan;
}

const MAX_BODY = '1mb';
const PAGE_SIZE = 100;
const MAX_PAGE_SIZE = 1_000;

export function createApp(parts: AppParts): Express {
  const { store, counts } = parts;
  const app = express();
  app.disable('x-powered-by');
  app.use((_request, response, next) => {
    response.set({
      'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-store',
    });
    next();
  });
  app.get('/healthz', (_request, response) => response.json({ status: 'ok' }));
  app.head('/suppressions', (_request, response) => response.status(204).end());
  app.post('/suppressions', express.raw({ type: () => true, limit: MAX_BODY }), (request, response) =>
    takeState(parts, request, response),
  );
  app.get('/suppressions', (request, response) => listStates(store, request, response));
  app.get('/suppressions/:recipient', (request, response) => {
    const state = store.get(request.params.recipient);
    response.status(state ? 200 : 404).json(state ?? { error: 'not found' });
  });
  app.get('/stats', (_request, response) => response.json(counts.stats(store)));
  app.get('/', (_request, response) =>
    response.type('html').send(renderPage(counts.stats(store), [...store.all()])),
  );
  app.post('/faults', express.json({ limit: MAX_BODY }), (request, response) =>
    planFaults(parts.faults, request, response),
  );
  app.use(answerError);
  return app;
}

async function takeState(parts: AppParts, request: Request, response: Response): Promise<void> {
  const fault = parts.faults.take();
  if (fault.kind !== 'none' && fault.kind !== 'lost-acknowledgement') {
    misbehave(fault, request, response);
    return;
  }
  const { status, result } = await apply(parts, request);
  if (fault.kind === 'lost-acknowledgement') request.socket.destroy();
  else response.status(status).json({ result });
}

async function apply({ verify, store, counts }: AppParts, request: Request) {
  const body: unknown = request.body;
  if (!Buffer.isBuffer(body) || !verify(body, request.headers)) {
    counts.add('rejected');
    return { status: 401, result: 'signature' };
  }
  const state = readState(parseJson(body));
  if (!state) {
    counts.add('rejected');
    return { status: 422, result: 'unreadable' };
  }
  const result = await store.apply(state);
  counts.add(result);
  return { status: 200, result };
}

function misbehave(fault: Fault, request: Request, response: Response): void {
  if (fault.kind === 'reset') request.socket.resetAndDestroy();
  if (fault.kind !== 'status') return;
  if (fault.retryAfter !== undefined) response.set('retry-after', fault.retryAfter);
  response.status(fault.status ?? 500).json({ result: 'fault' });
}

/** In the order of recipients, from behind `after`; `next` is the `after` of the following page, null on the last. */
function listStates(store: StateStore, request: Request, response: Response): void {
  const { after, limit } = request.query;
  const size = Math.min(MAX_PAGE_SIZE, Math.max(1, Number(limit) || PAGE_SIZE));
  const behind = typeof after === 'string' ? after : '';
  const recipients = [...store.all()]
    .filter(({ recipient }) => recipient > behind)
    .sort((a, b) => (a.recipient < b.recipient ? -1 : 1));
  const suppressions = recipients.slice(0, size);
  const next = recipients.length > size ? (suppressions.at(-1)?.recipient ?? null) : null;
  response.json({ suppressions, next });
}

/** `{"next": [fault, …]}` plans faults behind those already planned; `{"clear": true}` first forgets them. */
function planFaults(faults: FaultPlan, request: Request, response: Response): void {
  const { remoteAddress = '' } = request.socket;
  if (!/^(::ffff:)?127\.|^::1$/.test(remoteAddress)) {
    response.status(403).json({ error: 'loopback only' });
    return;
  }
  const { next = [], clear } = (request.body ?? {}) as { next?: unknown; clear?: unknown };
  if (clear === true) faults.clear();
  const understood = faults.add(next);
  response.status(understood ? 200 : 400).json({ planned: faults.left });
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch {
    return undefined;
  }
}

/** Express knows an error handler by its four parameters. What it says of a request is its status only. */
function answerError(error: unknown, _request: Request, response: Response, _next: unknown): void {
  const { status = 500 } = error as { status?: number };
  response.status(status).json({ error: 'bad request' });
}

/** True if one of the secrets signed these bytes not long ago. */
export type Verify = (body: Buffer, headers: IncomingHttpHeaders) => boolean;

/** Throws if there is no secret, or one that is none. */
export function createVerifier(secrets: readonly string[]): Verify {
  if (secrets.length === 0) throw new Error('the receiver needs at least one signing secret');
  const webhooks = secrets.map((secret) => new Webhook(secret));
  return (body, headers) => {
    const text = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
    return webhooks.some((webhook) => {
      try {
        webhook.verify(body, text, { jsonParse: false });
        return true;
      } catch (error) {
        if (error instanceof WebhookVerificationError) return false;
        throw error;
      }
    });
  };
}
