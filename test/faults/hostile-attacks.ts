import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { createRandom, type Random } from '@email-events/dev/simulate';
import { TRICKS } from './hostile-senders.ts';

/** One connection's worth of harm. Resolves when it has no more to do; the connection is then cut. */
type Attack = (socket: Socket, random: Random) => Promise<void>;

interface Squad {
  readonly name: string;
  /** Connections at a time. */
  readonly size: number;
  readonly attack: Attack;
  /** Between a connection's end and the next one. Milliseconds. */
  readonly pauseMs: number;
  /** True: every connection comes from another address. */
  readonly spread?: true;
}

const HEAD = 'POST /webhooks/email-events/sendgrid HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n';
const BASIC_HEAD = HEAD.replace('sendgrid', 'postmark');
const BOMB = gzipSync(Buffer.alloc(20_000_000));

/** Nothing else: the connection stays as it is until it is cut. */
const forever = (socket: Socket) => new Promise<void>((resolve) => socket.once('close', () => resolve()));

// Paced, since one by one they came to four cores of the ingress once: honest senders waited for the machine then, and how long was a matter
// of who else was at work there. All at once they still keep it busy: 1.3 cores, its collector included.
const SQUADS: readonly Squad[] = [
  { name: 'idle', size: 200, pauseMs: 600, attack: forever },
  { name: 'idle, each from elsewhere', size: 200, pauseMs: 600, attack: forever, spread: true },
  { name: 'slow headers', size: 40, pauseMs: 200, attack: drip(HEAD, 'x-y: 1\r\n') },
  { name: 'slow bodies', size: 40, pauseMs: 200, attack: drip(`${HEAD}content-length: 90000\r\n\r\n`, '1') },
  { name: 'stalled bodies', size: 40, pauseMs: 2_000, attack: stalledBody },
  { name: 'endless chunks', size: 6, pauseMs: 300, attack: endless('10000\r\n', 'x'.repeat(65_536)) },
  { name: 'endless crumbs', size: 6, pauseMs: 300, attack: endless('', '1\r\nx\r\n'.repeat(1_000)) },
  { name: 'answers never read', size: 2, pauseMs: 100, attack: neverReads },
  { name: 'early ends', size: 10, pauseMs: 400, attack: earlyEnd },
  { name: 'half open', size: 20, pauseMs: 300, attack: halfOpen },
  { name: 'bombs', size: 4, pauseMs: 100, attack: bomb },
  { name: 'no HTTP', size: 10, pauseMs: 100, attack: garbage },
  { name: 'tricks', size: 10, pauseMs: 1_000, attack: trick },
];

/** All attacks at once, from addresses of loopback other than the honest senders', until they are called off. */
export class Attackers {
  readonly #port: number;
  readonly #abort = new AbortController();
  readonly #work: Promise<unknown>;
  /** Connections made, by squad. */
  readonly made = new Map<string, number>();

  constructor(port: number, seed: number) {
    this.#port = port;
    this.#work = Promise.all(
      SQUADS.flatMap((squad, s) =>
        Array.from({ length: squad.size }, (_, i) =>
          this.#go(squad, s, i, createRandom(seed + s * 1_000 + i)),
        ),
      ),
    );
    this.#work.catch(() => {});
  }

  /** Connections of the squad that made the fewest, for each of its places. */
  get rounds(): number {
    return Math.min(...SQUADS.map(({ name, size }) => (this.made.get(name) ?? 0) / size));
  }

  async callOff(): Promise<void> {
    this.#abort.abort();
    await this.#work;
  }

  async #go(squad: Squad, s: number, i: number, random: Random): Promise<void> {
    const { signal } = this.#abort;
    for (let n = 0; !signal.aborted; n++) {
      const from = squad.spread ? `127.${s + 1}.${n % 250}.${i + 1}` : `127.0.1.${s + 1}`;
      const socket = connect({
        port: this.#port,
        host: '127.0.0.1',
        localAddress: from,
        allowHalfOpen: true,
      });
      // The server may end this connection in any way.
      socket.on('error', () => {});
      socket.once('end', () => socket.destroy());
      if (squad.attack !== neverReads) socket.resume();
      const cut = () => socket.destroy();
      signal.addEventListener('abort', cut, { once: true });
      const closed = forever(socket);
      await Promise.race([squad.attack(socket, random), closed]);
      socket.destroy();
      await closed;
      signal.removeEventListener('abort', cut);
      this.made.set(squad.name, (this.made.get(squad.name) ?? 0) + 1);
      await delay(random.int(0, 2 * squad.pauseMs), undefined, { signal }).catch(() => {});
    }
  }
}

/** A beginning, and then a little now and then, for as long as it is let. */
function drip(beginning: string, drop: string): Attack {
  return async (socket, random) => {
    socket.write(beginning);
    while (!socket.destroyed) {
      socket.write(drop);
      await delay(random.int(50, 300));
    }
  };
}

async function stalledBody(socket: Socket, random: Random): Promise<void> {
  socket.write(`${HEAD}content-length: 1000000\r\n\r\n`);
  socket.write(Buffer.alloc(random.int(700_000, 990_000), 0x31));
  await forever(socket);
}

function endless(before: string, piece: string): Attack {
  return async (socket) => {
    socket.write(`${HEAD}transfer-encoding: chunked\r\n\r\n`);
    const chunk = before === '' ? piece : `${before}${piece}\r\n`;
    while (!socket.destroyed) {
      await written(socket, chunk);
      // As much as a line of some Mbit/s carries: more is a flood, which is up to the network.
      await delay(50);
    }
  };
}

/** Asks many times in one write, again and again, until neither side's system takes any more. */
async function neverReads(socket: Socket): Promise<void> {
  socket.pause();
  const requests = `${HEAD}content-length: 2\r\n\r\n[]`.repeat(100);
  for (let i = 0; i < 25 && !socket.destroyed; i++) {
    await written(socket, requests);
    await delay(250);
  }
}

async function earlyEnd(socket: Socket, random: Random): Promise<void> {
  const request = `${BASIC_HEAD}content-length: 5000\r\n\r\n${'1'.repeat(5_000)}`;
  await written(socket, request.slice(0, random.int(1, request.length - 1)));
  if (random.chance(0.5)) socket.resetAndDestroy();
}

async function halfOpen(socket: Socket): Promise<void> {
  socket.end(`${HEAD}content-length: 100\r\n\r\n[1`);
  await forever(socket);
}

async function bomb(socket: Socket, random: Random): Promise<void> {
  const encoding = random.pick(['gzip', 'deflate', 'br', 'zstd', 'identity, gzip']);
  await written(
    socket,
    `${BASIC_HEAD}content-encoding: ${encoding}\r\ncontent-length: ${BOMB.length}\r\n\r\n`,
  );
  await written(socket, BOMB);
}

async function garbage(socket: Socket, random: Random): Promise<void> {
  await written(socket, Buffer.from(`1603010200010001fc0303${random.hex(random.int(2, 4_000) * 2)}`, 'hex'));
  await forever(socket);
}

async function trick(socket: Socket, random: Random): Promise<void> {
  await written(socket, Buffer.from(random.pick(TRICKS).bytes, 'latin1'));
  await delay(100);
}

function written(socket: Socket, bytes: string | Buffer): Promise<void> {
  return new Promise((resolve) => socket.write(bytes, () => resolve()));
}
