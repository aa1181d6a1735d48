import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { networkOf } from './addresses.ts';

/** Of all connections: what one address may hold before its own are the first to go. */
const FAIR_SHARE = 1 / 8;

interface Entry {
  readonly socket: Socket;
  /** Connections that share it share a fate: an IPv4 address, or an IPv6 network of 64 bits. */
  readonly owner: string;
  /** To requests that arrived whole, while they are not handed over to be sent. */
  readonly owed: Set<ServerResponse>;
  /** The last request, while it has not arrived whole. */
  arriving: IncomingMessage | undefined;
}

/**
 * Keeps connections within their limit without turning senders away: a new one that comes when all places are taken gets the
 * place of the connection that has kept us waiting longest: idle, in its headers, in its body, or not reading its answer.
 * An address with more than its share loses its own first. A request that has arrived whole is never given up.
 */
export class ConnectionGuard {
  readonly #max: number;
  readonly #evicted: (request: IncomingMessage | undefined) => void;
  readonly #entries = new Map<Socket, Entry>();
  /** In the order in which they began to keep us waiting, if they do. */
  readonly #order = new Set<Entry>();
  readonly #perOwner = new Map<string, number>();
  /** A TLS connection and the TCP connection below it have the same peer. */
  readonly #byPeer = new Map<string, Entry>();
  readonly #encrypted: WeakMap<Socket, Entry> = new WeakMap();

  /** `evicted` is told before the socket is destroyed, with the request that was on its way, if there was one. */
  constructor(max: number, evicted: (request: IncomingMessage | undefined) => void) {
    this.#max = max;
    this.#evicted = evicted;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** A TCP connection was accepted. */
  opened(socket: Socket): void {
    const entry: Entry = {
      socket,
      owner: networkOf(socket.remoteAddress),
      owed: new Set(),
      arriving: undefined,
    };
    const peer = peerOf(socket);
    if (this.#entries.size >= this.#max && !this.#makeRoom()) {
      socket.destroy();
      return;
    }
    this.#entries.set(socket, entry);
    this.#order.add(entry);
    this.#byPeer.set(peer, entry);
    this.#perOwner.set(entry.owner, (this.#perOwner.get(entry.owner) ?? 0) + 1);
    socket.once('close', () => this.#forget(entry, peer));
  }

  /** The TLS handshake on it is done. */
  secured(socket: Socket): void {
    const entry = this.#byPeer.get(peerOf(socket));
    if (entry) this.#encrypted.set(socket, entry);
  }

  /** The headers of a request are there. */
  began(request: IncomingMessage, response: ServerResponse): void {
    const entry = this.#entries.get(request.socket) ?? this.#encrypted.get(request.socket);
    if (!entry) return;
    entry.arriving = request;
    this.#waitFor(entry);
    const hasCome = () => {
      if (entry.arriving === request) entry.arriving = undefined;
    };
    // Both come once; `once` would make two more objects for each.
    request.on('end', () => {
      hasCome();
      if (!response.writableEnded) entry.owed.add(response);
    });
    response.on('prefinish', () => {
      hasCome();
      entry.owed.delete(response);
      this.#waitFor(entry);
    });
  }

  #waitFor(entry: Entry): void {
    if (!this.#order.delete(entry)) return;
    this.#order.add(entry);
  }

  /** No if every connection has a request that is being dealt with. */
  #makeRoom(): boolean {
    const entry = this.#firstToGo();
    if (!entry) return false;
    this.#evicted(entry.arriving);
    this.#forget(entry, peerOf(entry.socket));
    entry.socket.destroy();
    return true;
  }

  #firstToGo(): Entry | undefined {
    const share = this.#max * FAIR_SHARE;
    let oldest: Entry | undefined;
    for (const entry of this.#order) {
      if (isServed(entry)) continue;
      oldest ??= entry;
      if ((this.#perOwner.get(entry.owner) ?? 0) > share) return entry;
    }
    return oldest;
  }

  #forget(entry: Entry, peer: string): void {
    if (!this.#entries.delete(entry.socket)) return;
    this.#order.delete(entry);
    if (this.#byPeer.get(peer) === entry) this.#byPeer.delete(peer);
    const left = (this.#perOwner.get(entry.owner) ?? 1) - 1;
    if (left > 0) this.#perOwner.set(entry.owner, left);
    else this.#perOwner.delete(entry.owner);
  }
}

/** An answer that was given and cannot be sent, because those before it are not read, is not owed any more. */
function isServed({ owed }: Entry): boolean {
  for (const response of owed) if (!response.writableEnded) return true;
  return false;
}

const peerOf = ({ remoteAddress, remotePort }: Socket) => `${remoteAddress} ${remotePort}`;
