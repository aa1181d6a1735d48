import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { reason, serveLookups, suppression } from '@email-events/sink-lookup/testing';

/** What the benchmark is told when the server takes calls. */
export interface Started {
  readonly port: number;
  readonly bytesARecipient: number;
  readonly residentBytesARecipient: number;
  readonly microsecondsAState: number;
}

/** The CPU time of this process so far. Microseconds. */
export interface Used {
  readonly cpu: number;
}

const NOTHING = { bytesARecipient: 0, residentBytesARecipient: 0, microsecondsAState: 0 };
const [kind, recipients = '0'] = process.argv.slice(2);

const cpu = () => {
  const { user, system } = process.cpuUsage();
  return user + system;
};
process.on('message', () => process.send?.({ cpu: cpu() } satisfies Used));
process.on('disconnect', () => process.exit(0));
process.send?.(kind === 'floor' ? await startFloor() : await startLookups(Number(recipients)));

/** The smallest server that takes the same calls: it receives the body and answers a text of about the same length as a single answer. */
async function startFloor(): Promise<Started> {
  const text = JSON.stringify({
    ...{ address: 'r12345@example.com', mail: true, revision: null },
    freshness: { asOf: new Date().toISOString(), ageMs: 40, behind: 0 },
  });
  const headers = { 'content-type': 'application/json', 'content-length': text.length };
  const server = createServer((request, response) => {
    request.resume().on('end', () => response.writeHead(200, headers).end(text));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { port: (server.address() as AddressInfo).port, ...NOTHING };
}

/** Every recipient has one reason, and every tenth two. */
async function startLookups(count: number): Promise<Started> {
  const { state, port } = await serveLookups();
  const left = reason({ reason: 'unsubscribe', scope: 'newsletter' });
  const resident = process.memoryUsage().rss;
  const before = cpu();
  for (let n = 0; n < count; n++) {
    const recipient = `r${n}@example.com`;
    const reasons = n % 10 === 0 ? [reason({ since: n }), left] : [reason({ since: n })];
    state.put(recipient, suppression(recipient, reasons, { revision: 1_769_846_400_000 + n }));
  }
  return {
    port,
    bytesARecipient: state.bytes / count,
    residentBytesARecipient: (process.memoryUsage().rss - resident) / count,
    microsecondsAState: (cpu() - before) / count,
  };
}
