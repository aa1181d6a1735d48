import { createLogger, Registry } from '@email-events/core';
import type { Suppression } from '@email-events/schemas';
import { BytesUnderWay } from '../body.ts';
import { createHandler, type LookupContext } from '../handler.ts';
import { createLookupMetrics } from '../metrics.ts';
import type { Freshness } from '../reader.ts';
import { RefusalLog } from '../refusal-log.ts';
import { listen } from '../server.ts';
import { SuppressionState } from '../state.ts';
import { Tokens } from '../tokens.ts';

export { createLookupMetrics };

export const AT = Date.UTC(2026, 0, 31, 8);
export const TOKEN = 'a-token-of-a-caller-0123456789';

type Reason = Suppression['reasons'][number];

export const reason = (more: Partial<Reason> = {}): Reason => ({
  ...{ reason: 'hard_bounce', scope: 'all', since: AT, esp: 'postmark', source: 'main' },
  ...{ event_id: 'e1', detail: '550 no such user', account: null },
  ...more,
});

export const suppression = (
  recipient: string,
  reasons: readonly Reason[],
  more: Partial<Suppression> = {},
): Suppression => ({
  ...{ recipient, suppressed: reasons.some(({ scope }) => scope === 'all'), reasons: [...reasons] },
  ...{ changed_at: AT, event_id: 'e1', revision: 1 },
  ...more,
});

/** The look-ups over HTTP on any port, without Kafka: what is known of it is what the test says. */
export async function serveLookups(
  settings: { maxAgeMs?: number; maxBodyBytes?: number; maxInFlightBytes?: number } = {},
) {
  const state = new SuppressionState();
  const lines: string[] = [];
  const registry = new Registry();
  const log = createLogger('test', 'silent');
  const recorded = Object.assign(Object.create(log), {
    warn: (fields: object) => lines.push(JSON.stringify(fields)),
    error: (fields: object) => lines.push(JSON.stringify(fields)),
  }) as typeof log;
  const known: { freshness: Freshness | undefined } = {
    freshness: { ageMs: 40, behind: 0, problems: {} },
  };
  const freshness = () => known.freshness;
  const { maxBodyBytes = 4_194_304, maxInFlightBytes = 67_108_864, maxAgeMs } = settings;
  const underWay = new BytesUnderWay(maxInFlightBytes);
  const context: LookupContext = {
    ...{
      tokens: new Tokens(['another-token-0123456789', TOKEN]),
      state,
      freshness,
      maxAgeMs,
      maxBodyBytes,
      underWay,
    },
    metrics: createLookupMetrics(registry, { state, freshness, bytesUnderWay: () => underWay.used }),
    refusals: new RefusalLog(recorded),
    log: recorded,
  };
  const server = await listen(
    {
      ...{ host: '127.0.0.1', port: 0, adminPort: 0, tokens: [], maxStateBytes: 1, maxConnections: 100 },
      ...{ maxBodyBytes, maxInFlightBytes, requestTimeoutMs: 5_000, keepAliveTimeoutMs: 5_000 },
    },
    undefined,
    createHandler(context),
  );
  const url = `http://127.0.0.1:${server.port}/v1/may-mail`;
  const bearer = { authorization: `Bearer ${TOKEN}` };
  return {
    ...{ state, known, lines, registry, context, url, port: server.port },
    get: (
      query: { readonly [name: string]: string },
      headers: { readonly [name: string]: string } = bearer,
    ) => fetch(`${url}?${new URLSearchParams(query)}`, { headers }),
    post: (body: unknown, headers: { readonly [name: string]: string } = {}) =>
      fetch(url, {
        method: 'POST',
        headers: { ...bearer, 'content-type': 'application/json', ...headers },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      }),
    async close() {
      const closed = server.close();
      server.destroy();
      context.refusals.close();
      await closed;
    },
  };
}
