import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { type AddressInfo, Server as NetServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TlsFiles } from '@email-events/core';
import { answerFor, errorBody, JSON_TYPE } from './answers.ts';
import { answerKind, type IngressCode } from './codes.ts';
import type { IngressConfig } from './config.ts';
import { ConnectionGuard } from './connection-guard.ts';
import { openPort } from './port.ts';
import { newRequestId } from './request-id.ts';
import { WholeRequest } from './whole-request.ts';

type IngressSettings = IngressConfig['ingress'];

export interface HttpServer {
  readonly port: number;
  /**
   * How this server gave up the connection of this request, if it did. The handler that asks reports it, under the id that the
   * sender was told; the server itself reports an end that no handler asks for.
   */
  endOf(request: IncomingMessage): ConnectionEnd | undefined;
  connections(): number;
  /** Takes no more connections; resolves when those under way have their answers. */
  close(): Promise<void>;
  /** Cuts what is left. */
  destroy(): void;
}

/** An answer that was given without, or in the middle of, a request. */
export interface ConnectionEnd {
  readonly code: IngressCode;
  readonly status: number;
  readonly requestId: string;
}

export interface ClientErrors {
  /** Called when the server has answered bytes that are no request. `bytes`: that came on this connection. */
  refused(end: ConnectionEnd, peer: string | undefined, bytes: number): void;
  counted(status: number, code: IngressCode): void;
}

const MAX_HEADER_BYTES = 16_384;
/** Lines; a request with more is refused. */
export const MAX_HEADERS = 100;
/** How often overdue connections are looked for: the granularity of the time-outs. */
const CHECK_MS = 1_000;
const IDLE_GRACE_MS = 500;
/** No byte either way for as long as this, on top of what publishing may take: the client does not read the answer. */
const STALLED_MS = 15_000;

/** HTTP or HTTPS with every limit set: no client can hold what is scarce for long. */
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
    IncomingMessage: WholeRequest,
  };
  const ends = new WeakMap<Duplex, ConnectionEnd>();
  const guard = new ConnectionGuard(settings.maxConnections, (request) =>
    reportEviction(request, ends, errors),
  );
  const guarded: RequestListener = (request, response) => {
    guard.began(request, response);
    handler(request, response);
  };
  const server: Server = tls
    ? createSecureServer(
        { ...options, ...tls.read(), minVersion: 'TLSv1.2', handshakeTimeout: settings.headersTimeoutMs },
        guarded,
      )
    : createServer(options, guarded);
  // More than is allowed, so that it can be seen that there are more.
  server.maxHeadersCount = 2 * MAX_HEADERS;
  server.timeout = Math.max(settings.requestTimeoutMs, settings.publishTimeoutMs + STALLED_MS);
  server.on('connection', (socket: Socket) => guard.opened(socket));
  server.on('secureConnection', (socket: Socket) => guard.secured(socket));
  // Expectations are there to be met or ignored; Node would answer 417.
  server.on('checkExpectation', guarded);
  server.on('clientError', (error: NodeJS.ErrnoException, socket) =>
    answerClientError(error, socket, ends, errors),
  );
  if (tls) tls.watch((pair) => (server as ReturnType<typeof createSecureServer>).setSecureContext(pair));
  const acceptors = await openPort(server, settings);
  return {
    port: (server.address() as AddressInfo).port,
    endOf: (request) => {
      const end = ends.get(request.socket);
      ends.delete(request.socket);
      return end;
    },
    connections: () => guard.size,
    close: async () => {
      tls?.unwatch();
      await closeGently(server, acceptors);
    },
    destroy: () => server.closeAllConnections(),
  };
}

/**
 * Node's own close cuts idle connections at once, also those on which the next request is already on its way. Here they
 * get a moment in which that request is answered, with `Connection: close`.
 */
async function closeGently(server: Server, acceptors: readonly NetServer[]): Promise<void> {
  const timer = setTimeout(() => server.closeIdleConnections(), IDLE_GRACE_MS);
  const closed = (one: NetServer) =>
    new Promise<void>((resolve) => NetServer.prototype.close.call(one, () => resolve()));
  await Promise.all([server, ...acceptors].map(closed));
  clearTimeout(timer);
  // Ends its watch over connections as well.
  server.close();
}

/** A request that was on its way is reported by its handler. */
function reportEviction(
  request: IncomingMessage | undefined,
  ends: WeakMap<Duplex, ConnectionEnd>,
  { counted }: ClientErrors,
): void {
  const code = 'INGRESS_CONNECTION_EVICTED';
  if (!request) counted(0, code);
  else ends.set(request.socket, { code, status: 0, requestId: newRequestId() });
}

/** There is no one to answer. A request that was under way is reported by its handler. */
const GONE: readonly (string | undefined)[] = ['ECONNRESET', 'EPIPE', 'HPE_INVALID_EOF_STATE'];

const CLIENT_ERRORS: { readonly [code: string]: IngressCode } = {
  HPE_HEADER_OVERFLOW: 'INGRESS_HEADERS_TOO_LARGE',
  ERR_HTTP_REQUEST_TIMEOUT: 'INGRESS_REQUEST_TIMEOUT',
};

/** Answers when Node's parser or clock has given up: there is no request object to answer with. */
function answerClientError(
  error: NodeJS.ErrnoException,
  socket: Duplex,
  ends: WeakMap<Duplex, ConnectionEnd>,
  { refused, counted }: ClientErrors,
): void {
  if (GONE.includes(error.code) || !socket.writable) {
    socket.destroy();
    return;
  }
  const code = CLIENT_ERRORS[error.code ?? ''] ?? 'INGRESS_HTTP_MALFORMED';
  const requestId = newRequestId();
  const { status, error: word } = answerFor(answerKind(code), undefined);
  const end = { code, status, requestId };
  const { remoteAddress: peer } = socket as Socket;
  ends.set(socket, end);
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
  socket.once('close', () =>
    // After the handler of a request on this connection, if there is one, has heard of it.
    setImmediate(() => {
      if (!ends.delete(socket)) return;
      counted(status, code);
      refused(end, peer, (socket as Socket).bytesRead);
    }),
  );
  (socket as Socket).destroySoon();
}

const REASONS: { readonly [status: number]: string } = {
  400: 'Bad Request',
  408: 'Request Timeout',
  431: 'Request Header Fields Too Large',
};
