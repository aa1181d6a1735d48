import { request } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TestScope } from '../harness/stack.ts';

export interface HttpsFront {
  readonly url: string;
  /** Requests without the right credentials, which were answered 401. */
  readonly refused: () => number;
}

export interface FrontOptions {
  readonly certificate: { readonly cert: string; readonly key: string };
  /** Base URL behind it. */
  readonly target: string;
  readonly username: string;
  readonly password: string;
}

/** HTTPS with Basic authentication before a server that has neither. */
export async function startHttpsFront(scope: TestScope, options: FrontOptions): Promise<HttpsFront> {
  const { certificate, target, username, password } = options;
  const wanted = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  const base = new URL(target);
  let refused = 0;
  const server = createServer(certificate, (incoming, outgoing) => {
    const { authorization, host, ...headers } = incoming.headers;
    if (authorization !== wanted) {
      refused++;
      outgoing.writeHead(401).end();
      return;
    }
    const path = base.pathname.replace(/\/$/, '') + incoming.url;
    const behind = request({
      hostname: base.hostname,
      port: base.port,
      path,
      method: incoming.method,
      headers,
    });
    behind.on('response', (response) => {
      outgoing.writeHead(response.statusCode ?? 502, response.headers);
      response.pipe(outgoing);
    });
    behind.on('error', () => outgoing.destroy());
    incoming.pipe(behind);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  scope.onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const { port } = server.address() as AddressInfo;
  return { url: `https://127.0.0.1:${port}`, refused: () => refused };
}
