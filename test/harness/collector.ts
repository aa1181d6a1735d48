import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { TestScope } from './stack.ts';

export interface ToldSpan {
  readonly service: string;
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  /** Empty: of a span that begins a trace. */
  readonly parentSpanId: string;
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
}

interface Export {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly { key: string; value: { stringValue?: string } }[] };
    readonly scopeSpans: readonly { readonly spans: readonly Partial<ToldSpan>[] }[];
  }[];
}

/** A collector of traces: takes OTLP over HTTP as JSON. */
export interface Collector {
  readonly url: string;
  readonly spans: readonly ToldSpan[];
  /** All that it was sent, as it came. */
  readonly bodies: readonly string[];
}

export async function startCollector(scope: TestScope): Promise<Collector> {
  const [spans, bodies]: [ToldSpan[], string[]] = [[], []];
  const server = createServer(async (request, response) => {
    const body = await text(request);
    bodies.push(body);
    for (const { resource, scopeSpans } of (JSON.parse(body) as Export).resourceSpans) {
      const named = resource.attributes.find(({ key }) => key === 'service.name');
      const service = named?.value.stringValue ?? '';
      for (const { spans: own } of scopeSpans)
        for (const span of own) spans.push({ parentSpanId: '', links: [], ...span, service } as ToldSpan);
    }
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  scope.onTestFinished(async () => server.close().closeAllConnections());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/traces`, spans, bodies };
}
