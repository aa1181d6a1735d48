import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { Signer } from '@email-events/esps/accounts';
import { sendgrid } from '@email-events/esps/accounts/sendgrid';

const EVENTS_PER_REQUEST = 4;
const PAUSE_MS = 40;

/**
 * Hard bounces, each of another recipient, by signed requests until it is stopped: every event goes the whole way, to
 * its typed topic, ClickHouse and the CRM, so counting recipients at each end shows what is lost and what is there twice.
 */
export class Feed {
  readonly signer: Signer = sendgrid.signer(sendgrid.newKey());
  /** Of requests that were answered 200. */
  readonly acknowledged = new Set<string>();
  #port = 0;
  #made = 0;
  #running: Promise<void> | undefined;
  #stopped = false;

  start(port: number): void {
    this.#port = port;
    this.#running = this.#run();
    this.#running.catch(() => {});
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const recipients = Array.from({ length: EVENTS_PER_REQUEST }, () => `r${this.#made++}@example.com`);
      const body = JSON.stringify(recipients.map(bounce));
      // An ESP comes again until it is told that all is well.
      while (!(await this.#post(body))) await delay(PAUSE_MS);
      for (const recipient of recipients) this.acknowledged.add(recipient);
      await delay(PAUSE_MS);
    }
  }

  async #post(body: string): Promise<boolean> {
    const request = this.signer.sign({ body, at: Date.now(), url: '/webhooks/email-events/sendgrid' });
    const answer = await fetch(`http://127.0.0.1:${this.#port}${request.url}`, {
      method: 'POST',
      headers: request.headers as { [name: string]: string },
      body,
    });
    return answer.status === 200;
  }
}

const bounce = (email: string) => ({
  email,
  timestamp: Math.floor(Date.now() / 1_000),
  event: 'bounce',
  type: 'bounce',
  status: '5.1.1',
  reason: '550 5.1.1 no such user',
  sg_event_id: `event-${email}`,
  sg_message_id: `message-${email}`,
});

/** A CRM that takes suppressions, or takes the call and never answers. */
export class HangingCrm {
  /** By recipient: how often it was written. A state may come twice; it must come. */
  readonly written = new Map<string, number>();
  readonly #server: Server;
  readonly #held = new Set<ServerResponse>();
  #hangs = false;

  constructor() {
    this.#server = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk) => {
        body += chunk;
      });
      request.on('end', () => {
        if (this.#hangs) {
          this.#held.add(response);
          return;
        }
        if (request.method === 'POST') this.#note(body);
        response.writeHead(204).end();
      });
    });
  }

  /** Calls that wait for an answer that never comes. */
  get held(): number {
    return this.#held.size;
  }

  listen(): Promise<string> {
    return new Promise((resolve) => {
      this.#server.listen(0, '127.0.0.1', () =>
        resolve(`http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/suppressions`),
      );
    });
  }

  hang(): void {
    this.#hangs = true;
  }

  recover(): void {
    this.#hangs = false;
    for (const response of this.#held) response.destroy();
    this.#held.clear();
  }

  close(): Promise<void> {
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  #note(body: string): void {
    const { recipient } = JSON.parse(body) as { recipient: string };
    this.written.set(recipient, (this.written.get(recipient) ?? 0) + 1);
  }
}
