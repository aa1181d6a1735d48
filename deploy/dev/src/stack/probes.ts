import { connect } from 'node:net';

/** Real requests that say whether a component does its job. Each is one attempt, and never throws. */

const ATTEMPT_MS = 2_000;
const METADATA = 3;
const METADATA_VERSION = 1;
const CORRELATION_ID = 7;

/**
 * A broker that answers a metadata request and names, as brokers that are not fenced, at least one; with `nodeId` it must
 * name that one: other brokers answer also where the one that is asked was not let in yet. Plain text only.
 */
export function kafkaAnswers(host: string, port: number, nodeId?: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: ATTEMPT_MS });
    let received = Buffer.alloc(0);
    const settle = (answers: boolean) => {
      socket.destroy();
      resolve(answers);
    };
    socket.on('connect', () => socket.write(metadataRequest()));
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 4 || received.length < 4 + received.readInt32BE(0)) return;
      const ids = received.readInt32BE(4) === CORRELATION_ID ? brokersIn(received.subarray(8)) : [];
      settle(nodeId === undefined ? ids.length > 0 : ids.includes(nodeId));
    });
    socket.on('timeout', () => settle(false));
    socket.on('error', () => settle(false));
    socket.on('close', () => settle(false));
  });
}

/** Node ids of a metadata response that begins here: count; id, host, port and rack of each. */
function brokersIn(response: Buffer): number[] {
  const ids: number[] = [];
  for (let left = response.readInt32BE(0), at = 4; left > 0; left--) {
    ids.push(response.readInt32BE(at));
    const port = at + 4 + 2 + response.readInt16BE(at + 4);
    const rack = response.readInt16BE(port + 4);
    at = port + 4 + 2 + Math.max(0, rack);
  }
  return ids;
}

export function tcpAnswers(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: ATTEMPT_MS });
    const settle = (answers: boolean) => {
      socket.destroy();
      resolve(answers);
    };
    socket.on('connect', () => settle(true));
    socket.on('timeout', () => settle(false));
    socket.on('error', () => settle(false));
  });
}

export interface HttpTarget {
  readonly url: string;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
}

/** The registry lists its subjects, which needs its database. */
export function registryAnswers(registry: HttpTarget): Promise<boolean> {
  return httpOk(`${registry.url.replace(/\/$/, '')}/subjects`, registry);
}

/** ClickHouse runs a query, which a bare /ping does not show. */
export function clickhouseAnswers(clickhouse: HttpTarget): Promise<boolean> {
  return httpOk(`${clickhouse.url.replace(/\/$/, '')}/?query=SELECT%201`, clickhouse);
}

async function httpOk(url: string, credentials: Omit<HttpTarget, 'url'>): Promise<boolean> {
  return (await httpProblem(url, credentials)) === undefined;
}

/** Why this does not answer with success; undefined if it does. */
export async function httpProblem(
  url: string,
  { username, password }: Omit<HttpTarget, 'url'> = {},
): Promise<string | undefined> {
  const credentials = Buffer.from(`${username ?? ''}:${password ?? ''}`).toString('base64');
  const headers: Record<string, string> = username ? { authorization: `Basic ${credentials}` } : {};
  try {
    // Without keep-alive: an open connection would delay the component's stop.
    const response = await fetch(url, {
      headers: { ...headers, connection: 'close' },
      signal: AbortSignal.timeout(ATTEMPT_MS),
    });
    await response.arrayBuffer();
    return response.ok ? undefined : `${url} answers ${response.status}`;
  } catch (error) {
    const { message, cause } = error as Error;
    return `${url}: ${cause instanceof Error ? cause.message : message}`;
  }
}

/** Size, header (api, version, correlation, client id) and an empty list of topics: brokers only. */
function metadataRequest(): Buffer {
  const client = Buffer.from('stack-probe');
  const request = Buffer.alloc(4 + 8 + 2 + client.length + 4);
  let at = request.writeInt32BE(request.length - 4, 0);
  at = request.writeInt16BE(METADATA, at);
  at = request.writeInt16BE(METADATA_VERSION, at);
  at = request.writeInt32BE(CORRELATION_ID, at);
  at = request.writeInt16BE(client.length, at);
  at += client.copy(request, at);
  request.writeInt32BE(0, at);
  return request;
}
