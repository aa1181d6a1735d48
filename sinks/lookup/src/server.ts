import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TlsFiles } from '@email-events/core';
import type { LookupSettings } from './config.ts';

export interface HttpServer {
  readonly port: number;
  /** Takes no more connections; resolves when the calls under way have their answers. */
  close(): Promise<void>;
  /** Cuts what is left. */
  destroy(): void;
}

const MAX_HEADER_BYTES = 8_192;
const MAX_HEADERS = 64;
/** How often overdue connections are looked for: the granularity of the time-outs. */
const CHECK_MS = 1_000;
/** No byte either way for so long on top of the time for a request: the caller does not read the answer. */
const STALLED_MS = 15_000;

/** HTTP or HTTPS with every limit set: no caller can hold what is scarce for long. */
export async function listen(
  settings: LookupSettings,
  tls: TlsFiles | undefined,
  handler: RequestListener,
): Promise<HttpServer> {
  const { host, port, requestTimeoutMs, keepAliveTimeoutMs, maxConnections } = settings;
  const options = {
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: requestTimeoutMs,
    requestTimeout: requestTimeoutMs,
    keepAliveTimeout: keepAliveTimeoutMs,
    connectionsCheckingInterval: Math.min(CHECK_MS, requestTimeoutMs),
    noDelay: true,
  };
  const server: Server = tls
    ? createSecureServer(
        { ...options, ...tls.read(), minVersion: 'TLSv1.2', handshakeTimeout: requestTimeoutMs },
        handler,
      )
    : createServer(options, handler);
  server.maxHeadersCount = MAX_HEADERS;
  server.maxConnections = maxConnections;
  server.timeout = requestTimeoutMs + STALLED_MS;
  tls?.watch((pair) => (server as ReturnType<typeof createSecureServer>).setSecureContext(pair));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port }, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () => {
      tls?.unwatch();
      return new Promise((resolve) => server.close(() => resolve()));
    },
    destroy: () => server.closeAllConnections(),
  };
}
