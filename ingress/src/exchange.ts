import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger, Traces } from '@email-events/core';
import type { EspRequest } from '@email-events/esps';
import type { AddressList, ProxyHeaders } from './addresses.ts';
import type { ByteBudget, Holding } from './byte-budget.ts';
import type { FailureBudget } from './failure-budget.ts';
import type { ConnectionEnd } from './http-server.ts';
import type { IngressMetrics } from './ingress-metrics.ts';
import type { Placement } from './placement.ts';
import type { Publisher } from './publishing.ts';
import type { Quarantine } from './quarantine/quarantine.ts';
import type { RateShare } from './rate-share.ts';
import type { RefusalLog } from './refusal-log.ts';
import type { Source, Sources } from './sources.ts';
import type { Verification } from './verification.ts';

export interface WebhookContext {
  /** Replaced as a whole when the configuration is read again. */
  sources: Sources;
  /** True from the moment the service stops. */
  draining: boolean;
  readonly publisher: Publisher;
  readonly placement: Placement;
  readonly rateShare: RateShare;
  readonly verification: Verification;
  readonly budget: ByteBudget;
  readonly metrics: IngressMetrics;
  readonly trustedProxies: AddressList;
  /** HTTPS ends at a proxy: requests from other machines must come through a trusted one. */
  readonly behindProxy: boolean;
  /** Which headers of trusted proxies are read. */
  readonly proxyHeaders: ProxyHeaders;
  readonly failures: FailureBudget;
  readonly quarantine: Pick<Quarantine, 'keep'>;
  readonly refusals: RefusalLog;
  readonly traces: Traces;
  readonly log: Logger;
  /** Epoch milliseconds. */
  readonly clock: () => number;
  /** How the server gave up the connection of a request, if it did (see HttpServer). */
  readonly endOf: (request: IncomingMessage) => ConnectionEnd | undefined;
}

/** One request on its way through. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly requestId: string;
  readonly startedAt: number;
  source: Source | undefined;
  /** The sender's address; undefined: not known yet, or none. */
  sender: string | undefined;
  /** Bytes of the body as received; undefined: not received. */
  bodyBytes: number | undefined;
  /** Its part of the budget. */
  holding: Holding | undefined;
  /** Of a source with a quarantine, once it is here as a whole. */
  unverified: EspRequest | undefined;
}

/** The bytes that a request brought at least: first line, headers, and as much of the body as was read. */
export function bytesOf({ request, bodyBytes = 0 }: Exchange): number {
  let bytes = (request.url?.length ?? 0) + bodyBytes;
  for (const text of request.rawHeaders) bytes += text.length + 2;
  return bytes;
}
