import express, { type Express, type Request, type Response } from 'express';
import type { Fault, FaultPlan } from './faults.ts';
import { renderPage } from './page.ts';
import { readState } from './state.ts';
import type { Counts } from './stats.ts';
import type { StateStore } from './store.ts';
import type { Verify } from './verifier.ts';

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
