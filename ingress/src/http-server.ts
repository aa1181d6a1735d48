import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Logger, PipelineConfig } from '@email-events/core';
import { v7 as uuidv7 } from 'uuid';
import { answerFor, errorBody, JSON_TYPE } from './answers.ts';
import { answerKind, type IngressCode } from './codes.ts';
import type { TlsFiles } from './tls-files.ts';

type IngressSettings = PipelineConfig['ingress'];

export interface HttpServer {
  readonly port: number;
  /** Why the connection of this request was given up, if this server did it. */
  endOf(request: IncomingMessage): IngressCode | undefined;
  connections(): Promise<number>;
  /** Takes no more connections; resolves when those under way have their answers. */
  close(): Promise<void>;
  /** Cuts what is left. */
  destroy(): void;
}

export interface ClientErrors {
  readonly log: Logger;
  counted(status: number, code: IngressCode): void;
}

const MAX_HEADER_BYTES = 16_384;
const MAX_HEADERS = 100;
/** How often overdue connections are looked for: the granularity of the time-outs. */
const CHECK_MS = 1_000;

/** HTTP or HTTPS with every limit set: nobody can hold what is scarce for long. */
export async function listen(
  settings: IngressSettings,
  tls: TlsFiles | undefined,
  handler: RequestListener,
  errors: ClientErrors,
): Promise<HttpServer> {
  const options = {
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: Math.min(settings.headersTimeoutMs, settings.requestTimeoutMs),
    requestTimeout: settings.requestTimeoutMs,
    keepAliveTimeout: settings.keepAliveTimeoutMs,
    connectionsCheckingInterval: Math.min(CHECK_MS, settings.headersTimeoutMs),
    noDelay: true,
  };
  const server: Server = tls
    ? createSecureServer(
        { ...options, ...tls.read(), minVersion: 'TLSv1.2', handshakeTimeout: settings.headersTimeoutMs },
        handler,
      )
    : createServer(options, handler);
  server.maxHeadersCount = MAX_HEADERS;
  server.maxConnections = settings.maxConnections;
  const ends = new WeakMap<Duplex, IngressCode>();
  server.on('clientError', (error: NodeJS.ErrnoException, socket) =>
    answerClientError(error, socket, ends, errors),
  );
  if (tls) tls.watch((pair) => (server as ReturnType<typeof createSecureServer>).setSecureContext(pair));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(settings.port, settings.host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    endOf: (request) => ends.get(request.socket),
    connections: () =>
      new Promise((resolve) => server.getConnections((error, count) => resolve(error ? 0 : count))),
    close: () =>
      new Promise((resolve) => {
        tls?.unwatch();
        server.close(() => resolve());
      }),
    destroy: () => server.closeAllConnections(),
  };
}

const CLIENT_ERRORS: { readonly [code: string]: IngressCode } = {
  HPE_HEADER_OVERFLOW: 'INGRESS_HEADERS_TOO_LARGE',
  ERR_HTTP_REQUEST_TIMEOUT: 'INGRESS_REQUEST_TIMEOUT',
};

/** What Node's parser or clock gave up on: there is no request object to answer with. */
function answerClientError(
  error: NodeJS.ErrnoException,
  socket: Duplex,
  ends: WeakMap<Duplex, IngressCode>,
  { log, counted }: ClientErrors,
): void {
  if (error.code === 'ECONNRESET' || error.code === 'EPIPE' || !socket.writable) {
    socket.destroy();
    return;
  }
  const code = CLIENT_ERRORS[error.code ?? ''] ?? 'INGRESS_HTTP_MALFORMED';
  ends.set(socket, code);
  const requestId = uuidv7();
  const { status, error: word } = answerFor(answerKind(code), undefined);
  const body = errorBody(word, requestId);
  socket.end(
    [
      `HTTP/1.1 ${status} ${REASONS[status] ?? 'Error'}`,
      `x-request-id: ${requestId}`,
      `content-type: ${JSON_TYPE}`,
      `content-length: ${Buffer.byteLength(body)}`,
      'connection: close',
      '',
      body,
    ].join('\r\n'),
  );
  (socket as Socket).destroySoon();
  counted(status, code);
  log.warn({ code, status, requestId }, 'not accepted');
}

const REASONS: { readonly [status: number]: string } = {
  400: 'Bad Request',
  408: 'Request Timeout',
  431: 'Request Header Fields Too Large',
};
