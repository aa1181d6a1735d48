import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ClickHouse } from '@email-events/sink-clickhouse';
import { afterEach, expect, test } from 'vitest';
import type { PipelineConfig } from '../services.ts';
import { readTotals } from './totals.ts';

const servers: ReturnType<typeof createServer>[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

async function serve(metrics: string): Promise<string> {
  const server = createServer((_request, response) => response.end(metrics));
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const clickhouse = {
  query: async () => [{ rows: '8', rollup: '8', dead_letters: '2', of_normalize: '2', of_sinks: '1' }],
} as unknown as ClickHouse;
const config = { topics: { partitions: 2 } } as PipelineConfig;
const partition = (number: number) => `email_events_events_total{partition="${number}",result="received"} 5
email_events_events_total{partition="${number}",result="emitted"} 4
email_events_events_total{partition="${number}",result="duplicate"} 1
email_events_events_total{partition="${number}",result="dead_letter"} 0`;

test('adds up what the services and ClickHouse say', async () => {
  const admin = {
    events: await serve(`${partition(0)}\n${partition(1)}`),
  };
  expect(await readTotals({ admin, config }, clickhouse)).toEqual({
    ...{ items: 12, received: 10, emitted: 8, duplicates: 2, eventsDeadLetters: 0 },
    ...{ rows: 8, rollup: 8, deadLetters: 2, sinkDeadLetters: 1 },
  });
});

test('sums of some of the partitions are no totals', async () => {
  const admin = { events: await serve(partition(1)) };
  await expect(readTotals({ admin, config }, clickhouse)).rejects.toMatchObject({ code: 'CLI_UNAVAILABLE' });
});
