import { EventEmitter } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { ConnectionGuard } from './connection-guard.ts';

/** Stands for a socket: what the guard asks of it. The real ones are in connections.test.ts. */
class Peer extends EventEmitter {
  destroyed = false;
  readonly remoteAddress: string;
  readonly remotePort: number;

  constructor(address: string, port: number) {
    super();
    this.remoteAddress = address;
    this.remotePort = port;
  }

  destroy(): void {
    this.destroyed = true;
    this.emit('close');
  }
}

function guardOf(max: number) {
  const evictions: (IncomingMessage | undefined)[] = [];
  const guard = new ConnectionGuard(max, (request) => evictions.push(request));
  let port = 1;
  const open = (address: string) => {
    const peer = new Peer(address, port++);
    guard.opened(peer as unknown as Socket);
    return peer;
  };
  return { guard, evictions, open };
}

function ask(guard: ConnectionGuard, socket: Peer) {
  const request = Object.assign(new EventEmitter(), { socket }) as unknown as IncomingMessage;
  const response = Object.assign(new EventEmitter(), { writableEnded: false });
  guard.began(request, response as unknown as ServerResponse);
  const write = () => {
    response.writableEnded = true;
  };
  return {
    request,
    arrive: () => request.emit('end'),
    /** Written, but behind others that are not read. */
    write,
    answer() {
      write();
      response.emit('prefinish');
    },
  };
}

const addresses = (count: number) => Array.from({ length: count }, (_, i) => `192.0.2.${i + 1}`);

describe('who goes when all places are taken', () => {
  test('whoever kept us waiting longest', () => {
    const { guard, open, evictions } = guardOf(16);
    const peers = addresses(16).map(open);
    open('198.51.100.1');
    expect(peers.map(({ destroyed }) => destroyed)).toEqual([true, ...Array(15).fill(false)]);
    expect(guard.size).toBe(16);
    expect(evictions).toEqual([undefined]);
  });

  test('a request that has arrived whole stays until its answer, one that is arriving does not', () => {
    const { guard, open, evictions } = guardOf(16);
    const [first, second, third] = addresses(16).map(open) as [Peer, Peer, Peer];
    const whole = ask(guard, first);
    whole.arrive();
    const arriving = ask(guard, second);
    for (let i = 0; i < 15; i++) open(`198.51.100.${i}`);
    expect([first.destroyed, second.destroyed, third.destroyed]).toEqual([false, true, true]);
    expect(evictions.at(-1)).toBe(arriving.request);
    expect(evictions.filter(Boolean)).toHaveLength(1);
    whole.answer();
    for (let i = 0; i < 16; i++) open(`203.0.113.${i}`);
    expect(first.destroyed).toBe(true);
  });

  test('the next request on a connection begins its waiting anew', () => {
    const { guard, open } = guardOf(16);
    const [first, second] = addresses(16).map(open) as [Peer, Peer];
    ask(guard, first);
    open('198.51.100.1');
    expect([first.destroyed, second.destroyed]).toEqual([false, true]);
  });

  test('several requests on a connection: until the last answer', () => {
    const { guard, open } = guardOf(16);
    const [first] = addresses(16).map(open) as [Peer];
    const asked = [ask(guard, first), ask(guard, first)];
    for (const { arrive } of asked) arrive();
    asked[0]?.answer();
    for (let i = 0; i < 32; i++) open(`198.51.100.${i}`);
    expect(first.destroyed).toBe(false);
  });

  test('answers that wait because nobody reads those before them', () => {
    const { guard, open } = guardOf(16);
    const [first] = addresses(16).map(open) as [Peer];
    const asked = [ask(guard, first), ask(guard, first)];
    for (const { arrive, write } of asked) {
      arrive();
      write();
    }
    for (let i = 0; i < 32; i++) open(`198.51.100.${i}`);
    expect(first.destroyed).toBe(true);
  });

  test('an answer before the whole request: it is waited for like any other', () => {
    const { guard, open } = guardOf(16);
    const [first] = addresses(16).map(open) as [Peer];
    const asked = ask(guard, first);
    asked.answer();
    asked.arrive();
    for (let i = 0; i < 16; i++) open(`198.51.100.${i}`);
    expect(first.destroyed).toBe(true);
  });

  test('an address with more than its share loses its own, however old others are', () => {
    const { guard, open } = guardOf(16);
    const others = addresses(8).map(open);
    const greedy = Array.from({ length: 8 }, () => open('2001:db8::1'));
    const neighbours = Array.from({ length: 100 }, (_, i) => open(`2001:db8::${i + 2}`));
    expect(others.filter(({ destroyed }) => destroyed)).toEqual([]);
    expect(greedy.filter(({ destroyed }) => !destroyed)).toEqual([]);
    expect(neighbours.filter(({ destroyed }) => !destroyed)).toHaveLength(8);
    expect(guard.size).toBe(16);
  });

  test('the new one, if every other has its request being dealt with', () => {
    const { guard, open } = guardOf(2);
    const peers = addresses(2).map(open);
    for (const peer of peers) ask(guard, peer).arrive();
    expect(open('198.51.100.1').destroyed).toBe(true);
    expect(peers.map(({ destroyed }) => destroyed)).toEqual([false, false]);
    peers[0]?.destroy();
    expect(open('198.51.100.1').destroyed).toBe(false);
  });
});
