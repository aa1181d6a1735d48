import type { RequestListener } from 'node:http';
import type { TlsFiles } from '@email-events/core';
import express, { type NextFunction, type Request, type Response } from 'express';
import { networkOf } from './addresses.ts';
import { Refused } from './codes.ts';
import type { IngressConfig } from './config.ts';
import { type HttpServer, listen } from './http-server.ts';
import { handleWebhook, refuseRequest, type WebhookContext } from './webhook.ts';

export const WEBHOOK_PATH = '/webhooks/email-events';

const PREFIX = `${WEBHOOK_PATH}/`;

/** Listens for webhooks. What the server refuses before there is a request is counted and logged like the refusals of requests. */
export function serveWebhooks(
  context: WebhookContext,
  settings: IngressConfig['ingress'],
  tls: TlsFiles | undefined,
): Promise<HttpServer> {
  return listen(settings, tls, createApp(context), {
    refused: ({ code, ...fields }, peer, bytes) =>
      context.refusals.refused({
        level: 'warn',
        code,
        source: undefined,
        network: networkOf(peer),
        bytes,
        fields,
      }),
    counted: (status, code) => context.metrics.answered(undefined, status, code),
  });
}

/**
 * The HTTP side of the ingress: one route. The body is not touched here. A request whose path names a source as it is configured goes
 * past Express's router, which would find the same; all others go through it. In a profile under load Express and its router were 7 % of the
 * CPU of a request.
 */
function createApp(context: WebhookContext): RequestListener {
  const app = createRouter(context);
  return (request, response) => {
    const name = nameIn(request.url);
    if (name !== undefined && context.sources.has(name)) void handleWebhook(context, request, response, name);
    else app(request, response);
  };
}

/** What stands in the source's place; undefined if the router has to look at it. */
function nameIn(url: string | undefined): string | undefined {
  if (!url?.startsWith(PREFIX)) return undefined;
  const question = url.indexOf('?', PREFIX.length);
  const name = question < 0 ? url.slice(PREFIX.length) : url.slice(PREFIX.length, question);
  // It may mean another name.
  return name.includes('%') ? undefined : name;
}

function createRouter(context: WebhookContext) {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.enable('case sensitive routing');
  app.set('query parser', false);
  app.all(`${WEBHOOK_PATH}/:source`, (request: Request<{ source: string }>, response: Response) =>
    handleWebhook(context, request, response, request.params.source),
  );
  app.use((request: Request, response: Response) =>
    refuseRequest(context, request, response, new Refused('INGRESS_PATH_UNKNOWN')),
  );
  // Express tells an error handler by its four parameters.
  app.use((error: unknown, request: Request, response: Response, _next: NextFunction) =>
    refuseRequest(context, request, response, isBadUrl(error) ? new Refused('INGRESS_URL_MALFORMED') : error),
  );
  return app;
}

/** The router gives a URL that it cannot decode the status 400. */
function isBadUrl(error: unknown): boolean {
  return error instanceof URIError || (error as { status?: unknown } | null)?.status === 400;
}
