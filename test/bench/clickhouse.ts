import type { ChildProcess } from 'node:child_process';
import { parseArgs } from 'node:util';
import { type ClickHouse, connect } from '@email-events/sink-clickhouse';
import { publishResult, writeResult } from '../src/result.ts';
import { compareSinks, type SinkComparison } from './clickhouse/against.ts';
import { startBentoSink } from './clickhouse/bento.ts';
import {
  type ConnectOptions,
  JSON_CONVERTER,
  prepareConnect,
  startConnectSink,
} from './clickhouse/connect.ts';
import { startOurSink, startSink } from './clickhouse/ours.ts';
import type { SinkSide } from './clickhouse/side.ts';
import { onSinkStack, type SinkStack } from './clickhouse/stack.ts';
import { stopped } from './ingress-process.ts';
import { findBento } from './peers/bento.ts';
import { cpuSecondsOf, memoryOf } from './processors/usage.ts';
import { produceTypedEvents } from './typed-events.ts';

const DEADLINE_MS = 600_000;

/**
 * Fills the typed topics, then times the sink, in a separate process, until the last row is in ClickHouse. `--against bento` or `connect`: in turn
 * with a peer that does the same.
 */
export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      rows: { type: 'string', default: '600000' },
      against: { type: 'string' },
      /** Of Connect: the folder of the connector's jars, and the converter of its values. */
      connector: { type: 'string' },
      converter: { type: 'string', default: JSON_CONVERTER },
      'warm-up': { type: 'string', default: '300000' },
      rounds: { type: 'string', default: '3' },
    },
  });
  const rows = Number(values.rows);
  if (values.against !== undefined) {
    const comparison = { rows, warmUp: Number(values['warm-up']), rounds: Number(values.rounds) };
    const { connector, converter } = values;
    return againstPeer(values.against, await peerOf(values.against, { connector, converter }), comparison);
  }
  await onSinkStack(async ({ config, configFile }) => {
    await produceTypedEvents(config, rows);
    const clickhouse = connect(config.sinks.clickhouse);
    await publishResult('clickhouse', await measure(configFile, clickhouse, rows));
    await clickhouse.close();
  });
}

type StartPeer = (stack: SinkStack) => Promise<SinkSide>;

/** Throws, before anything is started, when it is not there. */
async function peerOf(peer: string, options: ConnectOptions): Promise<StartPeer> {
  switch (peer) {
    case 'bento': {
      const program = await findBento();
      return (stack) => startBentoSink(stack, program);
    }
    case 'connect': {
      const jars = await prepareConnect(options);
      return (stack) => startConnectSink(stack, jars, options);
    }
    default:
      throw new Error(`there is no peer ${peer} of the ClickHouse sink; there are bento and connect`);
  }
}

async function againstPeer(peer: string, start: StartPeer, comparison: SinkComparison): Promise<void> {
  await onSinkStack(async (stack) => {
    const ours = await startOurSink(stack);
    try {
      const other = await start(stack);
      try {
        const figures = await compareSinks(stack, [ours, other], comparison);
        await writeResult(`clickhouse-against-${peer}`, { ...comparison, ...figures });
      } finally {
        await other.stop();
      }
    } finally {
      await ours.stop();
    }
  });
}

async function measure(configFile: string, clickhouse: ClickHouse, rows: number) {
  const child: ChildProcess & { readonly pid: number } = await startSink(configFile);
  try {
    const start = { at: performance.now(), cpuSeconds: cpuSecondsOf(child.pid) };
    const seconds = await secondsUntil(clickhouse, rows, start.at);
    const cpuSeconds = cpuSecondsOf(child.pid) - start.cpuSeconds;
    const [totals] = await clickhouse.query<{ rows: string; inserts: string; rollup: string }>(
      `SELECT count() AS rows, uniqExact(inserted_at) AS inserts, (SELECT sum(events) FROM email_events_hourly) AS rollup
       FROM email_events`,
    );
    const { peakMb, anonymousMb } = memoryOf(child.pid);
    return {
      rows,
      rowsInTable: Number(totals?.rows),
      rowsInRollup: Number(totals?.rollup),
      seconds: Number(seconds.toFixed(2)),
      rowsPerSecond: Math.round(rows / seconds),
      cpuMicrosecondsPerRow: Number(((cpuSeconds * 1e6) / rows).toFixed(2)),
      rowsPerInsert: Math.round(rows / Number(totals?.inserts)),
      peakMemoryMb: peakMb,
      anonymousMb,
    };
  } finally {
    await stopped(child);
  }
}

/** Until table and rollup have them all. */
async function secondsUntil(clickhouse: ClickHouse, rows: number, startedAt: number): Promise<number> {
  for (;;) {
    const [found] = await clickhouse.query<{ rows: string; rollup: string }>(
      'SELECT (SELECT count() FROM email_events) AS rows, (SELECT sum(events) FROM email_events_hourly) AS rollup',
    );
    const elapsed = performance.now() - startedAt;
    if (Number(found?.rows) >= rows && Number(found?.rollup) >= rows) return elapsed / 1_000;
    if (elapsed > DEADLINE_MS) throw new Error(`only ${found?.rows} of ${rows} rows after ${elapsed} ms`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
