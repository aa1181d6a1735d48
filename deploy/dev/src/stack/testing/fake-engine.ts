import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import Docker from 'dockerode';
import { onTestFinished } from 'vitest';
import type { Engine } from '../containers/engine.ts';

/** Outcome of a pull: refused at once, an error after a while of progress, no answer, or progress that ends. */
export type PullOutcome = 'works' | 'refused' | 'fails' | 'hangs' | 'stalls';

export interface FakeEngine extends Engine {
  /** Its images, by name and tag. */
  readonly images: Set<string>;
  /** Images that it was asked to pull and to build, in order. */
  readonly pulls: string[];
  readonly builds: string[];
  /** Labels of images that have any. */
  readonly labels: Map<string, Record<string, string>>;
  /** Called while it inspects or builds an image. */
  readonly meanwhile: { inspects?: (reference: string) => void; builds?: (reference: string) => void };
}

type State = Pick<FakeEngine, 'images' | 'pulls' | 'builds' | 'labels' | 'meanwhile'>;

const REFUSAL = 'lookup registry.example.com: no such host';

/** The part of Docker's API that images need, over HTTP, so that the real client talks to it. */
export async function fakeEngine(
  images: readonly string[] = [],
  pull: PullOutcome = 'works',
): Promise<FakeEngine> {
  const state: State = {
    images: new Set(images),
    pulls: [],
    builds: [],
    labels: new Map(),
    meanwhile: {},
  };
  const server = createServer((request, response) => void answer(state, pull, request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const docker = new Docker({ protocol: 'http', host: '127.0.0.1', port });
  return { docker, address: `tcp://127.0.0.1:${port}`, host: '127.0.0.1', local: true, ...state };
}

async function answer(
  state: State,
  pull: PullOutcome,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://engine');
  const say = (event: object) => response.write(`${JSON.stringify(event)}\n`);
  const inspected = /^\/images\/(.+)\/json$/.exec(decodeURIComponent(pathname))?.[1];
  if (inspected !== undefined) {
    state.meanwhile.inspects?.(inspected);
    response.statusCode = state.images.has(inspected) ? 200 : 404;
    response.end(JSON.stringify({ Id: `sha256:${inspected}`, message: 'No such image' }));
    return;
  }
  if (request.method === 'DELETE') {
    state.images.delete(decodeURIComponent(pathname).slice('/images/'.length));
    response.end('[]');
    return;
  }
  if (pathname === '/images/json') {
    response.end(JSON.stringify(listed(state)));
    return;
  }
  // The server must read the whole request, or the client waits.
  for await (const _ of request);
  if (pathname === '/build') {
    const reference = searchParams.get('t') ?? '';
    state.builds.push(reference);
    state.meanwhile.builds?.(reference);
    state.images.add(reference);
    say({ stream: 'Step 1/1 : FROM scratch\n' });
    response.end();
    return;
  }
  const reference = [searchParams.get('fromImage'), searchParams.get('tag')].filter(Boolean).join(':');
  state.pulls.push(reference);
  if (pull === 'hangs') return;
  response.statusCode = pull === 'refused' ? 500 : 200;
  if (pull === 'refused') response.end(JSON.stringify({ message: REFUSAL }));
  else say({ status: 'Pulling' });
  if (pull === 'fails') say({ error: REFUSAL });
  if (pull === 'works') state.images.add(reference);
  if (pull === 'fails' || pull === 'works') response.end();
}

function listed({ images, labels }: State): object[] {
  return [...images]
    .filter((reference) => labels.has(reference))
    .map((reference) => ({
      RepoTags: [reference],
      Labels: labels.get(reference),
      Size: 5_000_000,
      Created: 1,
    }));
}
