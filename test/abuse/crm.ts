import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** How many calls it passed on, blocked and failed. */
export interface CrmCounts {
  passed: number;
  /** 403: the firewall did not like the content. */
  blocked: number;
  /** 500: the CRM fails of this recipient, always. */
  failed: number;
}

/** Recipients of whom the CRM fails, whenever it is told of one: they begin with this. */
export const UNBEARABLE = 'unbearable.';

/**
 * A CRM as they are: behind a firewall that answers 403 to all that looks like an attack on a web page, and with a fault that one
 * contact meets. What is left goes to the receiver that stands in for the CRM.
 */
export class GuardedCrm {
  readonly counts: CrmCounts = { passed: 0, blocked: 0, failed: 0 };
  readonly #server: Server;
  readonly #behind = Promise.withResolvers<string>();

  private constructor() {
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch(() => response.destroy());
    });
  }

  static async start(): Promise<GuardedCrm> {
    const crm = new GuardedCrm();
    await new Promise<void>((resolve) => crm.#server.listen(0, '127.0.0.1', resolve));
    return crm;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/suppressions`;
  }

  /** Calls wait until it is known what is behind the firewall. */
  standBefore(origin: string): void {
    this.#behind.resolve(origin);
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const refusal = this.#refusalOf(body.toString());
    if (refusal !== undefined) {
      response.writeHead(refusal).end();
      return;
    }
    const origin = await this.#behind.promise;
    const { host: _, connection: __, 'transfer-encoding': ___, ...headers } = request.headers;
    const answer = await fetch(`${origin}${request.url}`, {
      method: request.method ?? 'POST',
      headers: headers as { [name: string]: string },
      ...(body.length > 0 ? { body } : {}),
    });
    const text = Buffer.from(await answer.arrayBuffer());
    if (request.method === 'POST') this.counts.passed++;
    const type = answer.headers.get('content-type');
    response.writeHead(answer.status, type === null ? {} : { 'content-type': type });
    response.end(request.method === 'HEAD' ? undefined : text);
  }

  #refusalOf(body: string): number | undefined {
    if (body.includes('<script')) {
      this.counts.blocked++;
      return 403;
    }
    if (!body.includes(`"${UNBEARABLE}`)) return undefined;
    this.counts.failed++;
    return 500;
  }
}
