import { createLogger } from '@email-events/core';
import {
  type EmailEvent,
  type EventMark,
  recipientKey,
  type Suppression,
  topics,
} from '@email-events/schemas';
import {
  type ClickHouse,
  type ClickHouseAddress,
  type ClickHouseValue,
  connect,
  createClickHouseSink,
  type Migration,
  migrate,
} from '@email-events/sink-clickhouse';
import { expect, onTestFinished } from 'vitest';
import { useStack } from '../../harness/stack.ts';

const log = createLogger('analytics', 'silent');
const { signal } = new AbortController();

export interface Database {
  readonly address: ClickHouseAddress;
  readonly clickhouse: ClickHouse;
}

/** A database of the test's own, with the tables of these migrations; all of them unless some are given. */
export async function makeDatabase(migrations?: readonly Migration[]): Promise<Database> {
  const { clickhouseAt, uniqueDatabase } = useStack();
  const database = uniqueDatabase('analytics');
  const address = clickhouseAt(database);
  await migrate(address, migrations);
  const clickhouse = connect(address);
  onTestFinished(async () => {
    await clickhouse.command(`DROP DATABASE IF EXISTS ${database}`);
    await clickhouse.close();
  });
  return { address, clickhouse };
}

/** Writes events as the sink does, in one batch; again under the same id, as after a lost answer, as often as is said. */
export async function writeEvents(
  { address }: Database,
  events: readonly EmailEvent[],
  { id = crypto.randomUUID() as string, times = 1 } = {},
): Promise<void> {
  const records = events.map(
    (event) => [topics.events(event.type), recipientKey(event.recipient), event] as const,
  );
  await write(address, id, records, times);
}

/** Marks events as an operator does: `forged`, or `none` to take that back. */
export async function markEvents(
  { address }: Database,
  events: readonly EmailEvent[],
  mark: EventMark['mark'],
  at: number,
): Promise<void> {
  const change = mark === 'none' ? -1 : 1;
  const records = events.map((event) => {
    const value: EventMark = {
      ...{ event_id: event.event_id, mark, change, replaced_by: null, at, by: 'maria', why: 'secret leaked' },
      ...{ type: event.type, occurred_at: event.occurred_at, received_at: event.received_at },
      ...{ esp: event.esp, source: event.source, account: null },
      ...{ recipient: recipientKey(event.recipient), recipient_domain: event.recipient_domain },
      ...{ campaign: event.campaign, variant: event.variant, stream: event.stream },
      ...{ bounce_class: event.bounce_class, is_machine: event.is_machine },
    };
    return [topics.eventMarks, event.event_id, value] as const;
  });
  await write(address, crypto.randomUUID(), records, 1);
}

/** Writes states of recipients, by their keys. */
export async function writeSuppressions(
  { address }: Database,
  states: readonly Suppression[],
): Promise<void> {
  const records = states.map((state) => [topics.suppressions, state.recipient, state] as const);
  await write(address, crypto.randomUUID(), records, 1);
}

async function write(
  address: ClickHouseAddress,
  id: string,
  values: readonly (readonly [topic: string, key: string, value: EmailEvent | EventMark | Suppression])[],
  times: number,
): Promise<void> {
  const sink = createClickHouseSink(connect(address), log);
  const records = values.map(([topic, key, value]) => ({
    ...{ topic, key, value: value as ClickHouseValue, timestamp: 0, attempts: 0 },
  }));
  try {
    for (let n = 0; n < times; n++) {
      const verdicts = await sink.write({ id, records }, signal);
      expect(new Set(verdicts.map(({ outcome }) => outcome))).toEqual(new Set(['delivered']));
    }
  } finally {
    await sink.close();
  }
}
